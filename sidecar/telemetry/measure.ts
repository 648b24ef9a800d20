/**
 * The layer that counts each exchange and its duration, once, when it ends, and bytes as they pass. Errors from below also
 * end here: they become the response that is counted (`policy/rescue.ts` makes it). Two layers would need two objects per
 * request.
 *
 * A response made by the mesh, here or farther on, is recognised by its `tulle-error`.
 *
 * A failed gRPC call is a 200 whose trailers say so: its gRPC status is counted separately.
 */

import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, errorCodes, type MeshError } from "../../model/errors.ts";
import { parseSpiffeId } from "../../model/spiffe.ts";
import { grpcStatusName, isGrpcFailure } from "../grpc/status.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";
import { answerError, type RescueOptions } from "../policy/rescue.ts";
import type { RecordError } from "./error-spans.ts";
import { KnownSlot } from "./known-slot.ts";
import { otherValue } from "./label-sets.ts";
import type { SidecarMetrics } from "./metrics.ts";
import { type Ending, Tap } from "./tap.ts";

export type Direction = "inbound" | "outbound";

/** The status that nginx logs if the caller was gone before there was a response. */
const callerGone = 499;

const codes = Object.keys(errorCodes);
const codeNumbers = new Map(codes.map((code, i) => [code, i + 1]));
/** Stands for a `tulle-error` that we never sent. */
const unknownError = codes.length + 1;

/** The most peers that a layer counts separately; the others share one row. */
const peerLimit = 500;

export interface MeasureOptions extends RescueOptions {
  readonly metrics: SidecarMetrics;
  readonly clock: Clock;
  readonly direction: Direction;
  /** `namespace/name` of what was dialled (outbound) or of this workload (inbound). */
  readonly service: string;
  /** Called for each response that the mesh made itself or cut short. */
  readonly recordError?: RecordError;
}

export function measureAndRescue(options: MeasureOptions): Layer {
  const tally = new Tally(options);
  return (next) => (exchange, response) => new Measured(exchange, response, tally).through(next);
}

/** How a request ended, as it is counted. */
interface Outcome {
  /** The HTTP status. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  /** Its index in `codes` + 1; 0: there is no error. */
  readonly error: number;
  /** Whether the response began but its end never came. */
  readonly cut: boolean;
}

/** The kind of the connection to the peer, as it is counted; the first: there was none. */
const tlsKinds = ["", "mutual", "none"] as const;

const grpcStatuses = 32;
const errorNumbers = 256;

/** Turns an outcome into one small number. */
function keyOf({ status, grpcStatus, error, cut }: Outcome): number {
  const grpc = grpcStatus === undefined ? 0 : Math.min(grpcStatus + 1, grpcStatuses - 1);
  return ((status * grpcStatuses + grpc) * 2 + (cut ? 1 : 0)) * errorNumbers + error;
}

/** `abandoned`: the caller was gone before there was a response. */
function resultOf({ status, grpcStatus, cut }: Outcome): "success" | "failure" | "abandoned" {
  if (status === callerGone) return "abandoned";
  const failed = status >= 500 || cut || (grpcStatus !== undefined && isGrpcFailure(grpcStatus));
  return failed ? "failure" : "success";
}

/** The slots of one layer: by peer, then by outcome as a number, so that a known one costs two look-ups. */
class Tally {
  readonly clock: Clock;
  readonly recordError: RecordError | undefined;
  readonly passOn: ReadonlySet<ErrorCode>;
  readonly #metrics: SidecarMetrics;
  readonly #direction: Direction;
  readonly #service: string;
  readonly #rows = new Map<string, Map<number, number>>();
  readonly #durations: KnownSlot<"direction" | "service">;
  readonly #requestBytes: KnownSlot<"direction" | "service">;
  readonly #responseBytes: KnownSlot<"direction" | "service">;
  #requestsEpoch: number;

  constructor({ metrics, clock, direction, service, recordError, passOn }: MeasureOptions) {
    this.clock = clock;
    this.recordError = recordError;
    this.passOn = new Set(passOn);
    this.#metrics = metrics;
    this.#direction = direction;
    this.#service = service;
    this.#durations = new KnownSlot(metrics.requestDuration, { direction, service });
    this.#requestBytes = new KnownSlot(metrics.requestBytes, { direction, service });
    this.#responseBytes = new KnownSlot(metrics.responseBytes, { direction, service });
    this.#requestsEpoch = metrics.requests.labelSets.epoch;
  }

  countRequestBytes(bytes: number): void {
    this.#metrics.requestBytes.add(this.#requestBytes.now, bytes);
  }

  countResponseBytes(bytes: number): void {
    this.#metrics.responseBytes.add(this.#responseBytes.now, bytes);
  }

  count(exchange: Exchange, outcome: Outcome, durationMs: number): void {
    const { requests, requestDuration } = this.#metrics;
    if (requests.labelSets.epoch !== this.#requestsEpoch) {
      this.#rows.clear();
      this.#requestsEpoch = requests.labelSets.epoch;
    }
    const peer = (this.#direction === "inbound" ? exchange.peer : exchange.backend) ?? "";
    const row = this.#rows.get(peer) ?? this.#newRow(peer);
    const tls = this.#tlsTo(exchange);
    const key = keyOf(outcome) * tlsKinds.length + tls;
    const slot = row.get(key) ?? this.#newOutcome(row, peer, key, outcome, tlsKinds[tls]);
    requests.increment(slot);
    const durations = this.#durations.now;
    requestDuration.record(durations, durationMs);
    if (exchange.span === undefined) return;
    const { traceId } = exchange.span.context;
    requestDuration.illustrate(durations, { traceId, valueMs: durationMs, atMs: this.clock.now() });
  }

  /** Returns an index in `tlsKinds`. */
  #tlsTo({ peer, overMutualTls }: Exchange): 0 | 1 | 2 {
    if (this.#direction === "inbound") return peer === undefined ? 2 : 1;
    if (overMutualTls === undefined) return 0;
    return overMutualTls ? 1 : 2;
  }

  #newRow(peer: string): Map<number, number> {
    const key = this.#rows.size < peerLimit ? peer : otherValue;
    const row = this.#rows.get(key) ?? new Map<number, number>();
    this.#rows.set(key, row);
    return row;
  }

  #newOutcome(row: Map<number, number>, peer: string, key: number, outcome: Outcome, tls: string): number {
    const { status, grpcStatus, error } = outcome;
    const slot = this.#metrics.requests.slot({
      direction: this.#direction,
      service: this.#service,
      peer: this.#rows.has(peer) ? shortName(peer) : otherValue,
      tls,
      code: String(status),
      grpc: grpcStatus === undefined ? "" : grpcStatusName(grpcStatus),
      result: resultOf(outcome),
      error: error === 0 ? "" : (codes[error - 1] ?? otherValue),
    });
    row.set(key, slot);
    return slot;
  }
}

/** `namespace/service-account` of a SPIFFE id. A backend's name is short enough as it is. */
function shortName(peer: string): string {
  const id = parseSpiffeId(peer);
  return id.ok ? `${id.value.namespace}/${id.value.serviceAccount}` : peer;
}

/** It is its own `Outcome`, so that counting allocates no further object. */
class Measured extends Tap implements Outcome {
  readonly #tally: Tally;
  readonly #startMs: number;
  error = 0;
  cut = false;

  constructor(exchange: Exchange, response: ResponseSink, tally: Tally) {
    super(exchange, response);
    this.#tally = tally;
    this.#startMs = tally.clock.now();
  }

  override writeRequest(chunk: Buffer): boolean {
    this.#tally.countRequestBytes(chunk.length);
    return super.writeRequest(chunk);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#tally.countResponseBytes(chunk.length);
    return super.writeResponse(chunk);
  }

  /** After the head, the caller can't be told about an error any more. */
  override abortResponse(error: MeshError): void {
    if (this.status !== 0 || this.#tally.passOn.has(error.code)) return super.abortResponse(error);
    this.below = nowhere;
    answerError(this.exchange, this, error);
    this.leave();
  }

  protected override answered(head: ResponseHead): void {
    const code = head.headers.get("tulle-error");
    if (code !== undefined) this.error = codeNumbers.get(code) ?? unknownError;
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    if (error !== undefined) this.error = codeNumbers.get(error.code) ?? unknownError;
    if (this.status === 0) this.status = statusOf(ending, error?.code);
    else this.cut = ending === "failed";
    this.#tally.count(this.exchange, this, this.#tally.clock.now() - this.#startMs);
    if (this.error !== 0 && ending !== "abandoned") this.#recordError();
  }

  #recordError(): void {
    const { status, grpcStatus, error, cut } = this;
    const code = codes[error - 1] ?? otherValue;
    this.#tally.recordError?.(this.exchange, { status, grpcStatus, code, isCut: cut }, this.#startMs);
  }
}

function statusOf(ending: Ending, code: ErrorCode | undefined): number {
  if (ending === "abandoned" || code === undefined) return callerGone;
  return errorCodes[code].http;
}
