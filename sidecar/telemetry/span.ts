/** A span as the data path records it: plain fields, turned into OpenTelemetry's form only when it is exported. */

import type { TraceContext } from "./trace-context.ts";

export type SpanAttributes = Record<string, string | number>;

export interface Span {
  readonly name: string;
  readonly kind: "server" | "client";
  /** The span's own trace and span id. */
  readonly context: TraceContext;
  /** Undefined: this is the root of its trace. */
  readonly parentSpanId: string | undefined;
  /** Whether the parent was recorded by another process. */
  readonly parentRemote: boolean;
  readonly attributes: SpanAttributes;
  /** On the sidecar's clock. */
  readonly startMs: number;
  /** On the sidecar's clock; 0 until the span has ended. */
  endMs: number;
  failed: boolean;
}

/** Accepts ended spans. It must be quick, and must not throw. */
export interface SpanSink {
  push(span: Span): void;
}
