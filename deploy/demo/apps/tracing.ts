/**
 * Starts OpenTelemetry for a program of the shop, and makes its spans. Each program makes its own by hand, so that a reader
 * sees what a trace is made of; the sidecars add theirs between them through the `traceparent` header.
 *
 * Spans are exported only where OTEL_EXPORTER_OTLP_ENDPOINT says where to; context travels in any case.
 */

import type { IncomingHttpHeaders } from "node:http";
import { type Context, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: onlyTraces } = process.env;
const exporting = all !== undefined || onlyTraces !== undefined;
// Variables that already say otherwise win.
process.env["OTEL_TRACES_EXPORTER"] ??= exporting ? "otlp" : "none";
process.env["OTEL_METRICS_EXPORTER"] ??= "none";
process.env["OTEL_LOGS_EXPORTER"] ??= "none";
const sdk = new NodeSDK();
sdk.start();

const tracer = trace.getTracer("shop");

/** Sends what is still held back. */
export function flushSpans(): Promise<void> {
  return sdk.shutdown();
}

/** The span of a request that came in, below its caller's. */
export function serverSpan(name: string, headers: IncomingHttpHeaders): Span {
  const parent = propagation.extract(context.active(), headers);
  return tracer.startSpan(name, { kind: SpanKind.SERVER }, parent);
}

/** The span of a request that goes out, below `parent`. */
export function clientSpan(name: string, parent: Span): Span {
  return tracer.startSpan(name, { kind: SpanKind.CLIENT }, within(parent));
}

/** The headers that make the other side's spans children of this one. */
export function traceHeaders(span: Span): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(within(span), headers);
  return headers;
}

/** Ends a span with the HTTP status that it led to. */
export function endSpan(span: Span, status: number): void {
  span.setAttribute("http.response.status_code", status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function within(span: Span): Context {
  return trace.setSpan(context.active(), span);
}
