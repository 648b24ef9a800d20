/** Who calls whom, as counted by the callers' sidecars: one edge per workload and Service, over all its backends. */

import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";
import { jointShare } from "../../control-plane/dashboard/page/format.ts";

export interface CallEdge {
  /** `namespace/workload`. */
  readonly from: string;
  /** `namespace/name` of the dialled Service. */
  readonly to: string;
  readonly requestsPerSecond: number;
  /** 0 to 1. */
  readonly successShare: number;
  /** 0 to 1: requests over mutual TLS, among those for which it is known. Absent: it is known for none. */
  readonly mutualTlsShare?: number;
  /** Over all callers of the Service; undefined: longer than 30 s. Absent: nothing was measured. */
  readonly p99Ms?: number | undefined;
}

interface EdgeSum {
  readonly from: string;
  readonly to: string;
  requests: number;
  successes: number;
  mutualTls: number | undefined;
}

/** Sorted by caller, then by Service. */
export function callEdges({ edges, latencies }: Pick<MeshView, "edges" | "latencies">): CallEdge[] {
  const latencyOf = new Map(latencies.map((latency) => [latency.service, latency]));
  const sums = new Map<string, EdgeSum>();
  for (const { from, service: to, requestsPerSecond, successShare, mutualTlsShare } of edges) {
    const key = `${from} ${to}`;
    const sum = sums.get(key) ?? { from, to, requests: 0, successes: 0, mutualTls: undefined };
    sum.mutualTls = jointShare(
      { rate: sum.requests, share: sum.mutualTls },
      { rate: requestsPerSecond, share: mutualTlsShare },
    );
    sum.requests += requestsPerSecond;
    sum.successes += requestsPerSecond * successShare;
    sums.set(key, sum);
  }
  const sorted = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, { from, to, requests, successes, mutualTls }]) => {
    const latency = latencyOf.get(to);
    const successShare = requests === 0 ? 1 : successes / requests;
    return {
      from,
      to,
      requestsPerSecond: requests,
      successShare,
      ...(mutualTls !== undefined && { mutualTlsShare: mutualTls }),
      ...(latency && { p99Ms: latency.p99Ms }),
    };
  });
}
