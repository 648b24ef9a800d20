/**
 * The layers that make spans: one for each request that passes a sidecar, one for each try below it.
 *
 * ```
 *   caller's span ─▶ client (outbound sidecar) ─┬▶ try 1 ─▶ server (inbound sidecar) ─▶ application
 *                                               └▶ try 2 ─▶ server (another one)     ─▶ application
 * ```
 *
 * The context always travels, recorded or not: one that came is continued, else one is begun. What is not sampled costs
 * reading one header, and a begun trace two ids. Attributes: https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
 */

import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { isSampled, type Sampler } from "./sampling.ts";
import type { Span, SpanAttributes, SpanSink } from "./span.ts";
import { type Ending, Tap } from "./tap.ts";
import { formatTraceparent, type IdSource, readTraceContext } from "./trace-context.ts";

/** What all tracing layers of a process share. */
export interface Tracer {
  readonly sampler: Sampler;
  readonly ids: IdSource;
  readonly clock: Clock;
  /**
   * Undefined: spans would go nowhere, so none is made, and a caller's context passes untouched, sampled or not. A span that
   * is recorded and never exported would leave what follows without a parent.
   */
  readonly sink: SpanSink | undefined;
}

export interface TraceRequestOptions {
  /** `server` in the inbound sidecar, `client` in the outbound one. */
  readonly kind: Span["kind"];
  readonly tracer: Tracer;
  /** `namespace/name` of what was dialled (client) or of this workload (server). */
  readonly service: string;
  /** The share of traces to record for a request, where that is not the sampler's own; absent: it always is. */
  readonly ratioOf?: (exchange: Exchange) => number | undefined;
}

/** Continues the caller's trace or begins one, and records the request if the trace is sampled. */
export function traceRequest({ kind, tracer, service, ratioOf }: TraceRequestOptions): Layer {
  return (next) => (exchange, response) => {
    const span = beginRequest(tracer, exchange, kind, ratioOf?.(exchange));
    if (span === undefined) return next(exchange, response);
    exchange.span = span;
    span.attributes["tulle.service"] = service;
    return new TracedExchange(exchange, response, span, tracer).through(next);
  };
}

/** Records one try as a child of the request's span. It stands below the retry, above what picks an endpoint. */
export function traceTry(tracer: Tracer): Layer {
  return (next) => (exchange, response) => {
    const parent = exchange.span;
    if (parent === undefined) return next(exchange, response);
    const spanId = tracer.ids.spanId();
    const { traceId, tracestate } = parent.context;
    const span: Span = {
      name: parent.name,
      kind: "client",
      context: { traceId, spanId, sampled: true, tracestate },
      parentSpanId: parent.context.spanId,
      parentRemote: false,
      attributes: { ...requestAttributes(exchange), "tulle.attempt": exchange.attempt },
      startMs: tracer.clock.now(),
      endMs: 0,
      failed: false,
    };
    if (exchange.attempt > 1) span.attributes["http.request.resend_count"] = exchange.attempt - 1;
    if (exchange.retryReason !== undefined) span.attributes["tulle.retry_reason"] = exchange.retryReason;
    exchange.headers.set("traceparent", formatTraceparent(traceId, spanId, true));
    return new TracedExchange(exchange, response, span, tracer).through(next);
  };
}

/** Puts right what travels on, and makes the span if there is to be one. */
function beginRequest(
  tracer: Tracer,
  exchange: Exchange,
  kind: Span["kind"],
  ratio: number | undefined,
): Span | undefined {
  const { headers } = exchange;
  const parent = readTraceContext(headers);
  const traceId = parent?.traceId ?? tracer.ids.traceId();
  const sampled = tracer.sink !== undefined && isSampled(tracer.sampler, traceId, parent?.sampled, ratio);
  if (parent?.tracestate === undefined && headers.has("tracestate")) headers.remove("tracestate");
  // Not recorded here: the caller's span stays the parent of what follows, as if there were no sidecar.
  if (parent !== undefined && !sampled && (!parent.sampled || tracer.sink === undefined)) return undefined;
  const spanId = tracer.ids.spanId();
  const traceparent = formatTraceparent(traceId, spanId, sampled);
  if (headers.has("traceparent")) headers.set("traceparent", traceparent);
  else headers.append("traceparent", traceparent);
  if (!sampled) return undefined;
  return {
    name: spanName(exchange.method),
    kind,
    context: { traceId, spanId, sampled, tracestate: parent?.tracestate },
    parentSpanId: parent?.spanId,
    parentRemote: parent !== undefined,
    attributes: requestAttributes(exchange),
    startMs: tracer.clock.now(),
    endMs: 0,
    failed: false,
  };
}

class TracedExchange extends Tap {
  readonly #span: Span;
  readonly #tracer: Tracer;
  #meshError: string | undefined;

  constructor(exchange: Exchange, response: ResponseSink, span: Span, tracer: Tracer) {
    super(exchange, response);
    this.#span = span;
    this.#tracer = tracer;
  }

  protected override answered(head: ResponseHead): void {
    this.#meshError = head.headers.get("tulle-error");
  }

  protected override ended(_ending: Ending, error: MeshError | undefined): void {
    const span = this.#span;
    const { attributes } = span;
    nameWay(this.exchange, attributes);
    if (this.status !== 0) attributes["http.response.status_code"] = this.status;
    const firstFailure = span.kind === "server" ? 500 : 400;
    const why = error?.code ?? this.#meshError ?? (this.status >= firstFailure ? String(this.status) : undefined);
    if (why !== undefined) {
      attributes["error.type"] = bounded(why);
      span.failed = error !== undefined || this.status >= firstFailure;
    }
    span.endMs = this.#tracer.clock.now();
    this.#tracer.sink?.push(span);
  }
}

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"]);

function spanName(method: string): string {
  return knownMethods.has(method) ? method : "HTTP";
}

/** Without the query, which may hold secrets. */
function requestAttributes(exchange: Exchange): SpanAttributes {
  const { method, path, authority } = exchange;
  const known = knownMethods.has(method);
  const attributes: SpanAttributes = {
    "http.request.method": known ? method : "_OTHER",
    "url.scheme": exchange.scheme,
  };
  if (!known) attributes["http.request.method_original"] = bounded(method);
  const query = path.indexOf("?");
  if (path !== "") attributes["url.path"] = bounded(query === -1 ? path : path.slice(0, query));
  addAddress(attributes, "server", authority);
  if (exchange.peer !== undefined) attributes["tulle.peer"] = exchange.peer;
  return attributes;
}

/** What the layers below found out. */
function nameWay(exchange: Exchange, attributes: SpanAttributes): void {
  if (exchange.route !== undefined) attributes["tulle.route"] = exchange.route;
  if (exchange.backend !== undefined) attributes["tulle.backend"] = exchange.backend;
  if (exchange.endpoint !== undefined) addAddress(attributes, "network.peer", exchange.endpoint);
}

const hostAndPort = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/;

function addAddress(attributes: SpanAttributes, prefix: "server" | "network.peer", address: string): void {
  const match = hostAndPort.exec(address);
  if (match?.[1] === undefined || match[1] === "") return;
  attributes[`${prefix}.address`] = bounded(match[1].replace(/^\[|\]$/g, ""));
  if (match[2] !== undefined) attributes[`${prefix}.port`] = Number(match[2]);
}

const longestAttribute = 1_024;

/** So that the ring's memory is bounded by its length. */
function bounded(value: string): string {
  return value.length > longestAttribute ? value.slice(0, longestAttribute) : value;
}
