/**
 * The traces that sidecars reported lately, for people to look at. It keeps the newest few, with whatever arrived of each;
 * spans may be missing, because each sidecar reports only some, and applications' own are not reported here.
 */

import type { ReportedSpan__Output } from "../../proto/generated/tulle/v1/ReportedSpan.ts";
import type { Peer } from "../push/push-hub.ts";

export interface SpanView {
  /** 16 hex digits. */
  readonly id: string;
  /** Absent: the span begins the trace. The parent may be missing here: a span of the caller's own. */
  readonly parent?: string;
  /** `namespace/name` of the workload whose sidecar recorded it. */
  readonly workload: string;
  readonly name: string;
  readonly kind: "client" | "server";
  readonly failed: boolean;
  /** ms since 1970. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A trace in one line. */
export interface TraceView {
  /** 32 hex digits. */
  readonly id: string;
  /** The workload of the span that began first. */
  readonly workload: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly spans: number;
  readonly failed: boolean;
  /** Sorted. */
  readonly workloads: readonly string[];
}

const maxTraces = 200;
const maxListed = 50;
const maxSpansOfTrace = 200;
const maxSpansOfReport = 64;
const longestName = 256;
const maxAttributes = 32;

export class TraceStore {
  /** The most recently reported trace comes last. */
  readonly #traces = new Map<string, Map<string, SpanView>>();

  take({ namespace, workload }: Pick<Peer, "namespace" | "workload">, spans: readonly ReportedSpan__Output[]): void {
    for (const span of spans.slice(0, maxSpansOfReport)) {
      if (span.traceId.length === 16 && span.spanId.length === 8) this.#keep(`${namespace}/${workload}`, span);
    }
    for (const id of this.#traces.keys()) {
      if (this.#traces.size <= maxTraces) return;
      this.#traces.delete(id);
    }
  }

  /** Newest first. */
  list(): TraceView[] {
    const all = [...this.#traces].map(([id, spans]) => summarize(id, [...spans.values()]));
    return all.sort((a, b) => b.startMs - a.startMs || (a.id < b.id ? -1 : 1)).slice(0, maxListed);
  }

  /** Sorted by start. Undefined: unknown, or forgotten. */
  spans(traceId: string): SpanView[] | undefined {
    const spans = this.#traces.get(traceId);
    return spans && [...spans.values()].sort(byStart);
  }

  #keep(workload: string, span: ReportedSpan__Output): void {
    const traceId = span.traceId.toString("hex");
    const trace = this.#traces.get(traceId) ?? new Map<string, SpanView>();
    if (trace.size < maxSpansOfTrace) trace.set(span.spanId.toString("hex"), viewOf(workload, span));
    this.#traces.delete(traceId);
    this.#traces.set(traceId, trace);
  }
}

function viewOf(workload: string, span: ReportedSpan__Output): SpanView {
  const { parentSpanId, name, server, failed, attributes } = span;
  const pairs = attributes.slice(0, maxAttributes).map(({ key, value }) => [key, value] as const);
  return {
    id: span.spanId.toString("hex"),
    ...(parentSpanId.length === 8 && { parent: parentSpanId.toString("hex") }),
    workload,
    name: name.slice(0, longestName),
    kind: server ? "server" : "client",
    failed,
    startMs: span.startUnixMicroseconds / 1_000,
    durationMs: span.durationMicroseconds / 1_000,
    attributes: Object.fromEntries(
      pairs.map(([key, value]) => [key.slice(0, longestName), value.slice(0, longestName)]),
    ),
  };
}

function summarize(id: string, spans: readonly SpanView[]): TraceView {
  const [first, ...rest] = spans.toSorted(byStart);
  if (first === undefined) throw new Error(`trace ${id} has no span`);
  const endMs = rest.reduce(
    (end, span) => Math.max(end, span.startMs + span.durationMs),
    first.startMs + first.durationMs,
  );
  const { workload, name, startMs } = first;
  return {
    id,
    workload,
    name: `${name} ${first.attributes["url.path"] ?? ""}`.trim(),
    startMs,
    durationMs: endMs - startMs,
    spans: spans.length,
    failed: spans.some(({ failed }) => failed),
    workloads: [...new Set(spans.map((span) => span.workload))].sort(),
  };
}

function byStart(a: SpanView, b: SpanView): number {
  return a.startMs - b.startMs || b.durationMs - a.durationMs;
}
