/** The layer that writes a line per request. Off by default, and then it is not in the stack at all. */

import type { Clock, Random } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { Log, LogFields } from "../../system/log.ts";
import { grpcStatusName, isGrpcFailure } from "../grpc/status.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { Direction } from "./measure.ts";
import { type Ending, Tap } from "./tap.ts";

/** `errors`: what the mesh answered itself, what did not end well, and statuses from 500 on or their like in gRPC. A ratio applies to the rest as well. */
export type AccessLogMode =
  | { readonly kind: "off" }
  | { readonly kind: "errors" }
  | { readonly kind: "ratio"; readonly ratio: number };

/** Reads `TULLE_ACCESS_LOG`: `off` (default), `errors`, `all`, or the share of requests to log, 0 to 1. */
export function parseAccessLogMode(text: string | undefined): Result<AccessLogMode, FieldError> {
  if (text === undefined || text === "" || text === "off") return ok({ kind: "off" });
  if (text === "errors") return ok({ kind: "errors" });
  if (text === "all") return ok({ kind: "ratio", ratio: 1 });
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ok({ kind: "ratio", ratio });
  return err({
    path: "TULLE_ACCESS_LOG",
    message: `must be off, errors, all or a number from 0 to 1, got ${text}`,
  });
}

export interface AccessLogOptions {
  readonly mode: AccessLogMode;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly direction: Direction;
  /** `namespace/name` of what was dialled (outbound) or of this workload (inbound). */
  readonly service: string;
}

export function logAccess(options: AccessLogOptions): Layer {
  const { mode } = options;
  if (mode.kind === "off") return (next) => next;
  return (next) => (exchange, response) => {
    if (mode.kind === "ratio" && options.random() >= mode.ratio) return next(exchange, response);
    return new LoggedExchange(exchange, response, options).through(next);
  };
}

class LoggedExchange extends Tap {
  readonly #options: AccessLogOptions;
  readonly #startMs: number;
  readonly #method: string;
  readonly #path: string;
  #meshError: string | undefined;
  #responseBytes = 0;

  constructor(exchange: Exchange, above: ResponseSink, options: AccessLogOptions) {
    super(exchange, above);
    this.#options = options;
    this.#startMs = options.clock.now();
    this.#method = exchange.method;
    const query = exchange.path.indexOf("?");
    this.#path = query === -1 ? exchange.path : exchange.path.slice(0, query);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#responseBytes += chunk.length;
    return super.writeResponse(chunk);
  }

  protected override answered(head: ResponseHead): void {
    this.#meshError = head.headers.get("tulle-error");
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    const grpcFailed = this.grpcStatus !== undefined && isGrpcFailure(this.grpcStatus);
    const failed = ending !== "answered" || this.#meshError !== undefined || this.status >= 500 || grpcFailed;
    if (this.#options.mode.kind === "errors" && !failed) return;
    this.#options.log("info", "request", this.#fields(ending, error));
  }

  /** Neither query nor header fields: they are where credentials travel. */
  #fields(ending: Ending, error: MeshError | undefined): LogFields {
    const { exchange } = this;
    return {
      direction: this.#options.direction,
      service: this.#options.service,
      method: this.#method,
      authority: exchange.authority,
      path: this.#path,
      status: this.status === 0 ? undefined : this.status,
      grpc_status: this.grpcStatus === undefined ? undefined : grpcStatusName(this.grpcStatus),
      ending,
      error: error?.code ?? this.#meshError,
      detail: error?.message,
      duration_ms: Math.round((this.#options.clock.now() - this.#startMs) * 1_000) / 1_000,
      response_bytes: this.#responseBytes,
      peer: exchange.peer,
      route: exchange.route,
      backend: exchange.backend,
      endpoint: exchange.endpoint,
      attempts: exchange.attempt,
      trace: exchange.span?.context.traceId,
    };
  }
}
