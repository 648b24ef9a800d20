/** The layer that writes one line per request, if logging is on; if not, it costs one check of a number. */

import type { Clock, Random } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import type { Log, LogFields } from "../../system/log.ts";
import { grpcStatusName, isGrpcFailure } from "../grpc/status.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { describeOperation, GraphqlReader, mayBeGraphql } from "./graphql-operation.ts";
import { type LoggedRequests, shareOf } from "./logged-requests.ts";
import type { Direction } from "./measure.ts";
import { type Ending, Tap } from "./tap.ts";

export interface AccessLogOptions {
  readonly logged: LoggedRequests;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly direction: Direction;
  /** `namespace/name` of what was dialled (outbound) or of this workload (inbound). */
  readonly service: string;
}

export function logAccess(options: AccessLogOptions): Layer {
  const { logged, random } = options;
  return (next) => (exchange, response) => {
    const most = logged.atMost();
    if (most === 0) return next(exchange, response);
    const lot = random();
    return lot < most ? new LoggedExchange(exchange, response, options, lot).through(next) : next(exchange, response);
  };
}

class LoggedExchange extends Tap {
  readonly #options: AccessLogOptions;
  /** 0 to 1: the line is written if the share to log is larger. */
  readonly #lot: number;
  readonly #startMs: number;
  readonly #method: string;
  readonly #path: string;
  readonly #graphql: GraphqlReader | undefined;
  #meshError: string | undefined;
  #responseBytes = 0;

  constructor(exchange: Exchange, above: ResponseSink, options: AccessLogOptions, lot: number) {
    super(exchange, above);
    this.#options = options;
    this.#lot = lot;
    this.#startMs = options.clock.now();
    this.#method = exchange.method;
    const query = exchange.path.indexOf("?");
    this.#path = query === -1 ? exchange.path : exchange.path.slice(0, query);
    if (mayBeGraphql(exchange)) this.#graphql = new GraphqlReader(exchange);
  }

  override writeRequest(chunk: Buffer): boolean {
    this.#graphql?.read(chunk);
    return super.writeRequest(chunk);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#responseBytes += chunk.length;
    return super.writeResponse(chunk);
  }

  protected override answered(head: ResponseHead): void {
    this.#meshError = head.headers.get("tulle-error");
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    const accessLog = this.#options.logged.of(this.exchange);
    if (this.#lot >= shareOf(accessLog)) return;
    const grpcFailed = this.grpcStatus !== undefined && isGrpcFailure(this.grpcStatus);
    const failed = ending !== "answered" || this.#meshError !== undefined || this.status >= 500 || grpcFailed;
    if (accessLog.requests === "errors" && !failed) return;
    this.#options.log("info", "request", this.#fields(ending, error));
  }

  /** Neither query nor header fields are logged, because they carry credentials. */
  #fields(ending: Ending, error: MeshError | undefined): LogFields {
    const { exchange } = this;
    return {
      direction: this.#options.direction,
      service: this.#options.service,
      method: this.#method,
      authority: exchange.authority,
      path: this.#path,
      operation: describeOperation(this.#graphql?.operation(exchange)),
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
