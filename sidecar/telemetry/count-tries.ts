/** The layer that counts tries by how they ended. It stands below the retry, where each try passes by itself. */

import type { MeshError } from "../../model/errors.ts";
import { grpcCodes, grpcStatusName } from "../grpc/status.ts";
import type { Exchange, Layer, ResponseSink } from "../net/exchange.ts";
import type { SidecarMetrics } from "./metrics.ts";
import { type Ending, Tap } from "./tap.ts";

/** `service` is the `namespace/name` of what was dialled. */
export function countTries(metrics: SidecarMetrics, service: string): Layer {
  const counts = new TryCounts(metrics, service);
  return (next) => (exchange, response) => new CountedTry(exchange, response, counts).through(next);
}

/**
 * Outcomes are a class of statuses, `2xx`; the status of a gRPC call that was not OK, `UNAVAILABLE`; a code of the mesh where
 * there was no whole answer; `abandoned`.
 */
class TryCounts {
  readonly #metrics: SidecarMetrics;
  readonly #service: string;
  readonly #slots = new Map<string, number>();
  #epoch = 0;

  constructor(metrics: SidecarMetrics, service: string) {
    this.#metrics = metrics;
    this.#service = service;
  }

  count(outcome: string): void {
    const { epoch } = this.#metrics.attempts.labelSets;
    if (epoch !== this.#epoch) this.#slots.clear();
    this.#epoch = epoch;
    this.#metrics.attempts.increment(this.#slots.get(outcome) ?? this.#newSlot(outcome));
  }

  #newSlot(outcome: string): number {
    const slot = this.#metrics.attempts.slot({ service: this.#service, outcome });
    this.#slots.set(outcome, slot);
    return slot;
  }
}

const statusClasses = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

class CountedTry extends Tap {
  readonly #counts: TryCounts;

  constructor(exchange: Exchange, response: ResponseSink, counts: TryCounts) {
    super(exchange, response);
    this.#counts = counts;
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    if (ending === "abandoned") return this.#counts.count("abandoned");
    if (error !== undefined) return this.#counts.count(error.code);
    if (this.grpcStatus !== undefined && this.grpcStatus !== grpcCodes.OK) {
      return this.#counts.count(grpcStatusName(this.grpcStatus));
    }
    this.#counts.count(statusClasses[Math.floor(this.status / 100)] ?? "other");
  }
}
