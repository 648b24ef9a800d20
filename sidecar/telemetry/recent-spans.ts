/**
 * A few of the spans of the last seconds, for the dashboard, which shows traces even if no receiver is set up. They are a sample
 * and never all of them; whole traces are the exporter's business.
 */

import type { ReportedSpan } from "../../proto/generated/tulle/v1/ReportedSpan.ts";
import type { Span, SpanSink } from "./span.ts";

/** The most spans in one report; as many as discovery.proto allows. */
const maxReported = 64;
const maxHeld = 4 * maxReported;
const maxAttributes = 32;
const longestValue = 256;
const maxMicroseconds = 2 ** 32 - 1;

export class RecentSpans implements SpanSink {
  readonly #epochMs: number;
  #held: Span[] = [];

  /** `epochMs`: Unix time in ms at which the sidecar's clock showed 0. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs;
  }

  push(span: Span): void {
    this.#held.push(span);
    if (this.#held.length > maxHeld) this.#choose();
  }

  /** Returns each span only once. */
  take(): ReportedSpan[] {
    this.#choose();
    const spans = this.#held.map((span) => this.#report(span));
    this.#held = [];
    return spans;
  }

  /**
   * Chooses by the random part of the trace id, so that all sidecars of a trace choose it, or none does, as far as they saw the
   * same traces.
   */
  #choose(): void {
    if (this.#held.length <= maxReported) return;
    this.#held.sort((a, b) => (randomPart(a) < randomPart(b) ? -1 : 1));
    this.#held.length = maxReported;
  }

  #report({ name, kind, context, parentSpanId, attributes, startMs, endMs, failed }: Span): ReportedSpan {
    const microseconds = Math.round((endMs - startMs) * 1_000);
    return {
      traceId: Buffer.from(context.traceId, "hex"),
      spanId: Buffer.from(context.spanId, "hex"),
      parentSpanId: Buffer.from(parentSpanId ?? "", "hex"),
      name,
      server: kind === "server",
      failed,
      startUnixMicroseconds: Math.round((this.#epochMs + startMs) * 1_000),
      durationMicroseconds: Math.min(Math.max(microseconds, 0), maxMicroseconds),
      attributes: Object.entries(attributes)
        .slice(0, maxAttributes)
        .map(([key, value]) => ({ key, value: String(value).slice(0, longestValue) })),
    };
  }
}

function randomPart({ context }: Span): string {
  return context.traceId.slice(18);
}
