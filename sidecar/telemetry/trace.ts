/**
 * The layers that make spans: one for each request that passes a sidecar, one for each try below it.
 *
 * ```
 *   caller's span ─▶ client (outbound sidecar) ─┬▶ try 1 ─▶ server (inbound sidecar) ─▶ application
 *                                               └▶ try 2 ─▶ server (another one)     ─▶ application
 * ```
 *
 * The context always travels, recorded or not: an existing one is continued, else a new one begins. For an unsampled request
 * this costs reading one header, and for a new trace two ids.
 */

import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { readB3 } from "./b3.ts";
import type { ErrorSpans } from "./error-spans.ts";
import { GraphqlReader, mayBeGraphql } from "./graphql-operation.ts";
import { isSampled, type Sampler } from "./sampling.ts";
import type { Span, SpanSink } from "./span.ts";
import { complete, ownAttributes, requestAttributes, spanName } from "./span-attributes.ts";
import { type Ending, Tap } from "./tap.ts";
import { formatTraceparent, type IdSource, readTraceContext } from "./trace-context.ts";

/** What all tracing layers of a process share. */
export interface Tracer {
  readonly sampler: Sampler;
  readonly ids: IdSource;
  readonly clock: Clock;
  /**
   * Undefined: spans would go nowhere, so none is made, and a caller's context passes unchanged, sampled or not. If a span were
   * recorded but never exported, the spans below it would have no parent.
   */
  readonly sink: SpanSink | undefined;
  /** The spans of responses that the mesh made itself, sampled or not. Undefined: there are none. */
  readonly errors: ErrorSpans | undefined;
}

export interface TraceRequestOptions {
  /** `server` in the inbound sidecar, `client` in the outbound one. */
  readonly kind: Span["kind"];
  readonly tracer: Tracer;
  /** `namespace/name` of what was dialled (client) or of this workload (server). */
  readonly service: string;
  /** The version of the policy in force; undefined: it has none. Called only for what is recorded. */
  readonly policyVersion: () => string | undefined;
  /** The share of traces to record for a request, if it is not the sampler's own; absent: it always is. */
  readonly ratioOf?: (exchange: Exchange) => number | undefined;
}

/** Continues the caller's trace or begins one, and records the request if the trace is sampled. */
export function traceRequest({ kind, tracer, service, policyVersion, ratioOf }: TraceRequestOptions): Layer {
  return (next) => (exchange, response) => {
    const span = beginRequest(tracer, exchange, kind, ratioOf?.(exchange));
    if (span === undefined) return next(exchange, response);
    exchange.span = span;
    Object.assign(span.attributes, ownAttributes(service, policyVersion()));
    const Traced = mayBeGraphql(exchange) ? TracedGraphql : TracedExchange;
    return new Traced(exchange, response, span, tracer).through(next);
  };
}

/** Records one try as a child of the request's span. Its place is below the retry, above what picks an endpoint. */
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
      attributes: { ...requestAttributes(exchange, "client"), "tulle.attempt": exchange.attempt },
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

/** Corrects the context that is passed on, and makes the span if there is to be one. */
function beginRequest(
  tracer: Tracer,
  exchange: Exchange,
  kind: Span["kind"],
  ratio: number | undefined,
): Span | undefined {
  const { headers } = exchange;
  const own = readTraceContext(headers);
  const parent = own ?? readB3(headers);
  const traceId = parent?.traceId ?? tracer.ids.traceId();
  const sampled = tracer.sink !== undefined && isSampled(tracer.sampler, traceId, parent?.sampled, ratio);
  if (own?.tracestate === undefined && headers.has("tracestate")) headers.remove("tracestate");
  // Not recorded here: the caller's span remains the parent of what follows, as if there were no sidecar.
  if (parent?.spanId !== undefined && !sampled && (parent.sampled !== true || tracer.sink === undefined)) {
    if (own === undefined) setTraceparent(exchange, formatTraceparent(traceId, parent.spanId, parent.sampled === true));
    return undefined;
  }
  const spanId = tracer.ids.spanId();
  setTraceparent(exchange, formatTraceparent(traceId, spanId, sampled));
  exchange.beginsTrace = parent?.spanId === undefined;
  if (!sampled) return undefined;
  return {
    name: spanName(exchange),
    kind,
    context: { traceId, spanId, sampled, tracestate: parent?.tracestate },
    parentSpanId: parent?.spanId,
    parentRemote: parent?.spanId !== undefined,
    attributes: requestAttributes(exchange, kind),
    startMs: tracer.clock.now(),
    endMs: 0,
    failed: false,
  };
}

function setTraceparent({ headers }: Exchange, traceparent: string): void {
  if (headers.has("traceparent")) headers.set("traceparent", traceparent);
  else headers.append("traceparent", traceparent);
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

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    const { status, grpcStatus } = this;
    const code = error?.code ?? this.#meshError;
    complete(this.#span, this.exchange, { status, grpcStatus, code, isCut: ending !== "answered" });
    this.#span.endMs = this.#tracer.clock.now();
    this.#tracer.sink?.push(this.#span);
  }
}

/** Reads the body as it passes, to name the operation. */
class TracedGraphql extends TracedExchange {
  readonly #reader = new GraphqlReader(this.exchange);

  override writeRequest(chunk: Buffer): boolean {
    this.#reader.read(chunk);
    return super.writeRequest(chunk);
  }

  protected override ended(ending: Ending, error: MeshError | undefined): void {
    const operation = this.#reader.operation(this.exchange);
    const attributes = this.exchange.span?.attributes;
    if (operation !== undefined && attributes !== undefined) {
      attributes["graphql.operation.type"] = operation.type;
      if (operation.name !== undefined) attributes["graphql.operation.name"] = operation.name;
    }
    super.ended(ending, error);
  }
}
