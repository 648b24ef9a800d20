/** Which span is below which, to draw a trace. Pure. */

import type { SpanView } from "../../traffic/trace-store.ts";

export interface Bar {
  readonly span: SpanView;
  /** The number of spans above it. */
  readonly depth: number;
  /** 0 to 1, as a share of the whole trace. */
  readonly start: number;
  readonly share: number;
}

/** In reading order: each span below its parent, siblings sorted by start. */
export function waterfallOf(spans: readonly SpanView[]): readonly Bar[] {
  const sorted = spans.toSorted((a, b) => a.startMs - b.startMs || b.durationMs - a.durationMs);
  const startMs = Math.min(...sorted.map((span) => span.startMs));
  const endMs = Math.max(...sorted.map((span) => span.startMs + span.durationMs));
  const whole = Math.max(endMs - startMs, Number.MIN_VALUE);
  const byId = new Map(sorted.map((span) => [span.id, span]));
  const below = new Map<SpanView | undefined, SpanView[]>();
  for (const span of sorted) {
    const parent = byId.get(span.parent ?? "") ?? servedMeanwhile(span, sorted);
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const bars: Bar[] = [];
  const draw = (span: SpanView, depth: number): void => {
    bars.push({ span, depth, start: (span.startMs - startMs) / whole, share: span.durationMs / whole });
    for (const child of below.get(span) ?? []) draw(child, depth + 1);
  };
  for (const root of below.get(undefined) ?? []) draw(root, 0);
  // Spans that name each other as parents belong to no root.
  const drawn = new Set(bars.map(({ span }) => span));
  for (const span of sorted) if (!drawn.has(span)) bars.push({ span, depth: 0, start: 0, share: 1 });
  return bars;
}

/** The application's own spans are missing here, so a call that it made while serving a request is drawn below that request. */
function servedMeanwhile(span: SpanView, spans: readonly SpanView[]): SpanView | undefined {
  if (span.kind !== "client" || span.parent === undefined) return undefined;
  return spans.findLast(
    ({ kind, workload, startMs, durationMs }) =>
      kind === "server" &&
      workload === span.workload &&
      startMs <= span.startMs &&
      span.startMs <= startMs + durationMs,
  );
}
