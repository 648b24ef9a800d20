/**
 * What the replicas of a control plane see, as one view. Each knows the traffic, breakers and spans reported by the
 * sidecars that are connected to it; these are merged. Policies and the wanted shares of splits are the same everywhere;
 * the observed shares are computed from the merged edges. Pure.
 */

import { type MeshView, observe } from "../control-plane/dashboard/mesh-view.ts";
import { jointShare } from "../control-plane/dashboard/page/format.ts";
import { worstOf } from "../control-plane/traffic/traffic-store.ts";

type Edge = MeshView["edges"][number];
type Latency = MeshView["latencies"][number];
type Split = MeshView["splits"][number];
type Lost = MeshView["lost"][number];
type Trace = MeshView["traces"][number];

/** `views` has at least one item. */
export function mergeViews(views: readonly MeshView[]): MeshView {
  const [first, ...others] = views;
  if (first === undefined) throw new Error("no view to merge");
  if (others.length === 0) return first;
  const edges = mergeEdges(views.flatMap((view) => view.edges));
  return {
    ...first,
    edges,
    latencies: slowestOf(views.flatMap(({ latencies }) => latencies)),
    breakers: worstOf(views.flatMap(({ breakers }) => breakers)),
    splits: mergeSplits(views.flatMap(({ splits }) => splits)).map((split) => observe(split, edges)),
    traces: mergeTraces(views.flatMap(({ traces }) => traces)),
    lost: mergeLost(views.flatMap(({ lost }) => lost)),
    sidecars: [...new Map(views.flatMap(({ sidecars }) => sidecars).map((sidecar) => [sidecar.pod, sidecar])).values()],
    problems: [...new Set(views.flatMap(({ problems }) => problems))],
  };
}

/** The pods of one workload may be connected to different replicas. */
function mergeEdges(edges: readonly Edge[]): Edge[] {
  const merged = new Map<string, Edge>();
  for (const edge of edges) {
    const key = `${edge.from} ${edge.service} ${edge.backend}`;
    const known = merged.get(key);
    merged.set(key, known === undefined ? edge : sum(known, edge));
  }
  return [...merged.values()];
}

function sum(a: Edge, b: Edge): Edge {
  const requestsPerSecond = a.requestsPerSecond + b.requestsPerSecond;
  const successes = a.requestsPerSecond * a.successShare + b.requestsPerSecond * b.successShare;
  const mutualTlsShare = jointShare(
    { rate: a.requestsPerSecond, share: a.mutualTlsShare },
    { rate: b.requestsPerSecond, share: b.mutualTlsShare },
  );
  const successShare = requestsPerSecond === 0 ? 1 : successes / requestsPerSecond;
  return { ...a, requestsPerSecond, successShare, ...(mutualTlsShare !== undefined && { mutualTlsShare }) };
}

/** Includes a route that some replica does not know yet. */
function mergeSplits(splits: readonly Split[]): Split[] {
  const merged = new Map<string, Split>();
  for (const split of splits) {
    const key = `${split.service} ${split.route}`;
    if (!merged.has(key)) merged.set(key, split);
  }
  return [...merged.values()];
}

function mergeLost(lost: readonly Lost[]): Lost[] {
  const rates = new Map<string, number>();
  for (const { workload, requestsPerSecond } of lost) {
    rates.set(workload, (rates.get(workload) ?? 0) + requestsPerSecond);
  }
  return [...rates].map(([workload, requestsPerSecond]) => ({ workload, requestsPerSecond }));
}

/** Newest first. The spans of one trace may be spread over several replicas, each span in one. */
function mergeTraces(traces: readonly Trace[]): Trace[] {
  const merged = new Map<string, Trace>();
  for (const trace of traces) {
    const known = merged.get(trace.id);
    merged.set(trace.id, known === undefined ? trace : join(known, trace));
  }
  return [...merged.values()].sort((a, b) => b.startMs - a.startMs || (a.id < b.id ? -1 : 1));
}

function join(a: Trace, b: Trace): Trace {
  const first = b.startMs < a.startMs ? b : a;
  return {
    ...first,
    durationMs: Math.max(a.startMs + a.durationMs, b.startMs + b.durationMs) - first.startMs,
    spans: a.spans + b.spans,
    failed: a.failed || b.failed,
    workloads: [...new Set([...a.workloads, ...b.workloads])].sort(),
  };
}

/**
 * Quantiles can't be added up, so the slowest replica counts, and none looks better than it is. Undefined is slower than any
 * number.
 */
function slowestOf(latencies: readonly Latency[]): Latency[] {
  const merged = new Map<string, Latency>();
  for (const latency of latencies) {
    const { service, p50Ms, p99Ms } = latency;
    const known = merged.get(service);
    const slowest = { service, p50Ms: slower(known?.p50Ms, p50Ms), p99Ms: slower(known?.p99Ms, p99Ms) };
    merged.set(service, known === undefined ? latency : slowest);
  }
  return [...merged.values()];
}

function slower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}
