/**
 * The layer that counts each exchange and its duration, once, when it ends.
 *
 * It stands above `rescue`, so that it sees the answer the caller gets; an answer made by the mesh is known by its
 * `tulle-error`. Below `rescue` it counts what the answer will be.
 */

import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, errorCodes, type MeshError } from "../../model/errors.ts";
import { parseSpiffeId } from "../../model/spiffe.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { otherValue } from "./label-sets.ts";
import type { SidecarMetrics } from "./metrics.ts";
import { type Ending, Tap } from "./tap.ts";

export type Direction = "inbound" | "outbound";

/** As nginx has it: the caller was gone before there was an answer. */
const callerGone = 499;

const codes = Object.keys(errorCodes);
const codeNumbers = new Map(codes.map((code, i) => [code, i + 1]));
/** A `tulle-error` that we never sent. */
const unknownError = codes.length + 1;

/** Distinct peers per layer, at most; the others share one row. */
const peerLimit = 500;

export interface MeasureOptions {
  readonly metrics: SidecarMetrics;
  readonly clock: Clock;
  readonly direction: Direction;
  /** `namespace/name` of what was dialled (outbound) or of this workload (inbound). */
  readonly service: string;
}

export function measure(options: MeasureOptions): Layer {
  const tally = new Tally(options);
  return (next) => (exchange, response) => new Measured(exchange, response, tally).through(next);
}

/** The slots of one layer: by peer, then by status and error as one number, so that a known outcome costs two look-ups. */
class Tally {
  readonly clock: Clock;
  readonly #metrics: SidecarMetrics;
  readonly #direction: Direction;
  readonly #service: string;
  readonly #durations: number;
  readonly #rows = new Map<string, Map<number, number>>();

  constructor({ metrics, clock, direction, service }: MeasureOptions) {
    this.clock = clock;
    this.#metrics = metrics;
    this.#direction = direction;
    this.#service = service;
    this.#durations = metrics.requestDuration.slot({ direction, service });
  }

  count(exchange: Exchange, status: number, error: number, durationMs: number): void {
    const peer = (this.#direction === "inbound" ? exchange.peer : exchange.backend) ?? "";
    const row = this.#rows.get(peer) ?? this.#newRow(peer);
    const outcome = status * 256 + error;
    const slot = row.get(outcome) ?? this.#newOutcome(row, peer, outcome);
    this.#metrics.requests.increment(slot);
    this.#metrics.requestDuration.record(this.#durations, durationMs);
  }

  #newRow(peer: string): Map<number, number> {
    const key = this.#rows.size < peerLimit ? peer : otherValue;
    const row = this.#rows.get(key) ?? new Map<number, number>();
    this.#rows.set(key, row);
    return row;
  }

  #newOutcome(row: Map<number, number>, peer: string, outcome: number): number {
    const error = outcome % 256;
    const slot = this.#metrics.requests.slot({
      direction: this.#direction,
      service: this.#service,
      peer: this.#rows.has(peer) ? shortName(peer) : otherValue,
      code: String((outcome - error) / 256),
      error: error === 0 ? "" : (codes[error - 1] ?? otherValue),
    });
    row.set(outcome, slot);
    return slot;
  }
}

/** `namespace/service-account` of a SPIFFE id; a backend's name is short enough. */
function shortName(peer: string): string {
  const id = parseSpiffeId(peer);
  return id.ok ? `${id.value.namespace}/${id.value.serviceAccount}` : peer;
}

class Measured extends Tap {
  readonly #tally: Tally;
  readonly #startMs: number;
  #error = 0;

  constructor(exchange: Exchange, response: ResponseSink, tally: Tally) {
    super(exchange, response);
    this.#tally = tally;
    this.#startMs = tally.clock.now();
  }

  protected override answered(head: ResponseHead): void {
    const code = head.headers.get("tulle-error");
    if (code !== undefined) this.#error = codeNumbers.get(code) ?? unknownError;
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    if (error !== undefined) this.#error = codeNumbers.get(error.code) ?? unknownError;
    const status = this.status === 0 ? statusOf(ending, error?.code) : this.status;
    this.#tally.count(this.exchange, status, this.#error, this.#tally.clock.now() - this.#startMs);
  }
}

function statusOf(ending: Ending, code: ErrorCode | undefined): number {
  if (ending === "abandoned" || code === undefined) return callerGone;
  return errorCodes[code].http;
}
