/** Counts tries by how they ended. */

import type { ErrorCode } from "../../model/errors.ts";
import { grpcCodes, grpcStatusName } from "../grpc/status.ts";
import type { TryCounts } from "../policy/retry.ts";
import type { SidecarMetrics } from "./metrics.ts";

const statusClasses = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/**
 * An outcome is a class of statuses (`2xx`); the status of a gRPC call that was not OK (`UNAVAILABLE`); an error code of the mesh
 * if there was no whole response; or `abandoned`.
 */
export class CountedTries implements TryCounts {
  readonly #metrics: SidecarMetrics;
  readonly #service: string;
  readonly #slots = new Map<string, number>();
  #epoch = 0;

  /** `service`: the `namespace/name` that was dialled. */
  constructor(metrics: SidecarMetrics, service: string) {
    this.#metrics = metrics;
    this.#service = service;
  }

  answered(status: number, grpcStatus: number | undefined): void {
    const isGrpcFailure = grpcStatus !== undefined && grpcStatus !== grpcCodes.OK;
    this.#count(isGrpcFailure ? grpcStatusName(grpcStatus) : (statusClasses[Math.floor(status / 100)] ?? "other"));
  }

  failed(code: ErrorCode): void {
    this.#count(code);
  }

  abandoned(): void {
    this.#count("abandoned");
  }

  #count(outcome: string): void {
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
