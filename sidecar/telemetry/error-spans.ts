/**
 * A span for each response that the mesh made itself, if the trace was not to be recorded: the failed trace is the one that
 * people look for. It is created once the request has ended, so a successful request pays nothing, and at a limited rate.
 * What lies below was not recorded: such a span stands alone, beside those of other sidecars that saw the same error.
 */

import type { Exchange } from "../net/exchange.ts";
import type { Span, SpanSink } from "./span.ts";
import { complete, type Ended, ownAttributes, requestAttributes, spanName } from "./span-attributes.ts";
import type { TraceRequestOptions } from "./trace.ts";
import { readTraceContext } from "./trace-context.ts";

/** Where such spans go. */
export interface ErrorSpans {
  readonly sink: SpanSink;
  /** Whether one more is allowed now, by the rate for the whole process. */
  readonly admit: () => boolean;
}

/** The rate of a process: this many at once, then one a second. */
export const errorSpanRate = { requests: 1, perMs: 1_000, burst: 10 };

/** `startMs`: on the tracer's clock. */
export type RecordError = (exchange: Exchange, ended: Ended, startMs: number) => void;

/** Returns what the layer that sees how a request ends calls for an error. */
export function recordErrors({ kind, tracer, service, policyVersion }: TraceRequestOptions): RecordError {
  return (exchange, ended, startMs) => {
    const { errors, ids, clock } = tracer;
    const context = readTraceContext(exchange.headers);
    if (exchange.span !== undefined || errors?.admit() !== true) return;
    const { traceId = ids.traceId(), spanId, tracestate } = context ?? {};
    // A trace that began here has no caller, and the id that was passed on, if any, is this request's own.
    const parentSpanId = exchange.beginsTrace ? undefined : spanId;
    const ownSpanId = exchange.beginsTrace ? spanId : undefined;
    const span: Span = {
      name: spanName(exchange),
      kind,
      context: { traceId, spanId: ownSpanId ?? ids.spanId(), sampled: true, tracestate },
      parentSpanId,
      parentRemote: parentSpanId !== undefined,
      attributes: {
        ...requestAttributes(exchange, kind),
        ...ownAttributes(service, policyVersion()),
        "tulle.recorded_for": "error",
      },
      startMs,
      endMs: clock.now(),
      failed: false,
    };
    complete(span, exchange, ended);
    errors.sink.push(span);
  };
}
