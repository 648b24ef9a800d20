/**
 * What the replicas of a control plane see, as one picture. Each knows the traffic of the sidecars that are connected to it;
 * policies, splits and problems are the same everywhere. Pure.
 */

import type { MeshView } from "../control-plane/dashboard/mesh-view.ts";

type Edge = MeshView["edges"][number];
type Latency = MeshView["latencies"][number];

/** At least one. */
export function mergeViews(views: readonly MeshView[]): MeshView {
  const [first, ...others] = views;
  if (first === undefined) throw new Error("no view to merge");
  if (others.length === 0) return first;
  return {
    ...first,
    edges: mergeEdges(views.flatMap(({ edges }) => edges)),
    latencies: slowestOf(views.flatMap(({ latencies }) => latencies)),
    breakers: views.flatMap(({ breakers }) => breakers),
    traces: views.flatMap(({ traces }) => traces),
    lost: views.flatMap(({ lost }) => lost),
    sidecars: [...new Map(views.flatMap(({ sidecars }) => sidecars).map((sidecar) => [sidecar.pod, sidecar])).values()],
    problems: [...new Set(views.flatMap(({ problems }) => problems))],
  };
}

/** A workload's pods may be spread over replicas. */
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
  return { ...a, requestsPerSecond, successShare: requestsPerSecond === 0 ? 1 : successes / requestsPerSecond };
}

/** Quantiles can't be added up: the slowest replica's, so that none looks better than it is. Undefined is slower than all. */
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
