/**
 * Shows live requests to people who are watching (`tulle tap`). While nobody watches the layer costs one check of a field;
 * else it reports each request when it ends, at a limited rate, and never waits for a slow reader.
 *
 * It never reports header fields, queries or bodies, because they carry credentials and personal data. For a GraphQL body it
 * reports the operation's type and name.
 */

import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import { parseSpiffeId } from "../../model/spiffe.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { describeOperation, GraphqlReader, mayBeGraphql } from "../telemetry/graphql-operation.ts";
import { type Ending, Tap } from "../telemetry/tap.ts";
import { isWanted, type TapDirection, type TapFilter } from "./tap-filter.ts";

/** A request that has ended. */
export interface TappedRequest {
  /** When it began, ms since 1970. */
  readonly atMs: number;
  readonly direction: TapDirection;
  /** The caller: `namespace/workload`, or inbound `namespace/service-account`; empty: it came in the clear. */
  readonly from: string;
  /** `namespace/name` of the Service that was dialled, or inbound of the called workload. */
  readonly to: string;
  /** `namespace/name` of the backend; absent: none was reached. */
  readonly backend?: string;
  /** `podIP:containerPort`. */
  readonly endpoint?: string;
  readonly method: string;
  readonly authority: string;
  /** Without its query. */
  readonly path: string;
  /** The operation of a GraphQL request: `mutation Pay`. */
  readonly operation?: string;
  /** 0: there was no answer. */
  readonly status: number;
  /** A code of docs/errors.md, if the mesh answered or the request broke off. */
  readonly error?: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly route?: string;
  /** The number of tries. */
  readonly attempts: number;
  /** The id of its trace, if that is recorded. */
  readonly trace?: string;
}

export interface TapReader {
  /** Returns false if it can't accept more now; the request then counts as not shown. */
  readonly take: (request: TappedRequest) => boolean;
}

export interface OpenTap {
  /** How many were not shown since the last call: there were too many, or the reader was too slow. */
  readonly takeMissed: () => number;
  readonly close: () => void;
}

interface Reading {
  readonly filter: TapFilter;
  readonly reader: TapReader;
  readonly rate: TokenBucket;
  missed: number;
}

export const maxTaps = 4;

export class RequestTaps {
  readonly #clock: Clock;
  readonly #readings = new Set<Reading>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isIdle(): boolean {
    return this.#readings.size === 0;
  }

  /** Undefined: there are enough readers already. */
  open(filter: TapFilter, requestsPerSecond: number, reader: TapReader): OpenTap | undefined {
    if (this.#readings.size >= maxTaps) return undefined;
    const rate = new TokenBucket({ requests: requestsPerSecond, perMs: 1_000, burst: requestsPerSecond }, this.#clock);
    const reading: Reading = { filter, reader, rate, missed: 0 };
    this.#readings.add(reading);
    return {
      takeMissed() {
        const { missed } = reading;
        reading.missed = 0;
        return missed;
      },
      close: () => void this.#readings.delete(reading),
    };
  }

  report(request: TappedRequest): void {
    for (const reading of this.#readings) {
      if (!isWanted(reading.filter, request)) continue;
      if (!reading.rate.tryTake() || !reading.reader.take(request)) reading.missed++;
    }
  }
}

export interface TapOptions {
  readonly taps: RequestTaps;
  readonly direction: TapDirection;
  /** `namespace/workload` of this pod. */
  readonly workload: string;
  /** `namespace/name` that was dialled; inbound: of this workload. */
  readonly service: string;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly unixNow: () => number;
}

export function showRequests(options: TapOptions): Layer {
  const { taps } = options;
  return (next) => (exchange, response) =>
    taps.isIdle ? next(exchange, response) : new ShownExchange(exchange, response, options).through(next);
}

/** Longer paths are cut: a path may be as long as a codec accepts. */
const longestPath = 512;

class ShownExchange extends Tap {
  readonly #options: TapOptions;
  readonly #atMs: number;
  readonly #startMs: number;
  readonly #method: string;
  readonly #path: string;
  readonly #graphql: GraphqlReader | undefined;
  #meshError: string | undefined;
  #requestBytes = 0;
  #responseBytes = 0;

  constructor(exchange: Exchange, above: ResponseSink, options: TapOptions) {
    super(exchange, above);
    this.#options = options;
    this.#atMs = options.unixNow();
    this.#startMs = options.clock.now();
    // As the caller wrote them, because layers below may rewrite both.
    this.#method = exchange.method;
    this.#path = (exchange.path.split("?", 1)[0] ?? "").slice(0, longestPath);
    if (mayBeGraphql(exchange)) this.#graphql = new GraphqlReader(exchange);
  }

  override writeRequest(chunk: Buffer): boolean {
    this.#graphql?.read(chunk);
    this.#requestBytes += chunk.length;
    return super.writeRequest(chunk);
  }

  override writeResponse(chunk: Buffer): boolean {
    this.#responseBytes += chunk.length;
    return super.writeResponse(chunk);
  }

  protected override answered(head: ResponseHead): void {
    this.#meshError = head.headers.get("tulle-error");
  }

  protected override ended(_ending: Ending, failure: MeshError | undefined): void {
    const { taps, direction, workload, service, clock } = this.#options;
    const { exchange } = this;
    const { peer, authority, backend, endpoint, route, attempt: attempts, span } = exchange;
    const error = failure?.code ?? this.#meshError;
    const operation = describeOperation(this.#graphql?.operation(exchange));
    const trace = span?.context.traceId;
    taps.report({
      atMs: this.#atMs,
      direction,
      from: direction === "outbound" ? workload : accountOf(peer),
      to: service,
      ...(backend !== undefined && { backend }),
      ...(endpoint !== undefined && { endpoint }),
      method: this.#method,
      authority,
      path: this.#path,
      ...(operation !== undefined && { operation }),
      status: this.status,
      ...(error !== undefined && { error }),
      durationMs: Math.round((clock.now() - this.#startMs) * 1_000) / 1_000,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      ...(route !== undefined && { route }),
      attempts,
      ...(trace !== undefined && { trace }),
    });
  }
}

/** `namespace/service-account` of a SPIFFE id. */
function accountOf(peer: string | undefined): string {
  if (peer === undefined) return "";
  const id = parseSpiffeId(peer);
  return id.ok ? `${id.value.namespace}/${id.value.serviceAccount}` : peer;
}
