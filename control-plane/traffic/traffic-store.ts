/**
 * What sidecars have reported for the last seconds, added up for people to look at. It keeps reports, not sums: figures are
 * computed from those that are recent enough, so nothing has to be subtracted when a pod goes.
 */

import type { Clock } from "../../model/clock.ts";
import type { TrafficReport__Output } from "../../proto/generated/tulle/v1/TrafficReport.ts";
import type { Peer } from "../push/push-hub.ts";
import { compareStrings } from "../source/problem.ts";
import { quantileMs } from "./quantile.ts";

/** Requests from one workload to one backend of a Service, over the last `windowMs`. */
export interface EdgeTraffic {
  /** `namespace/workload`. */
  readonly from: string;
  /** `namespace/name` of the dialled Service. */
  readonly service: string;
  /** `namespace/name`; empty: no backend was reached. */
  readonly backend: string;
  readonly requestsPerSecond: number;
  /** 0 to 1: requests that did not fail and were not abandoned by their caller. */
  readonly successShare: number;
  /**
   * 0 to 1: requests over mutual TLS, among those for which it is known. Absent: it is known for none, because no backend was
   * reached, or the sidecars are older.
   */
  readonly mutualTlsShare?: number;
}

/** How long requests to a Service took. Undefined: longer than 30 s. */
export interface ServiceLatency {
  readonly service: string;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** A breaker that is not closed in at least one pod of a workload. */
export interface BreakerTraffic {
  readonly from: string;
  readonly backend: string;
  readonly endpoint: string;
  /** The worst state among those pods. */
  readonly state: "open" | "half-open";
}

/** One entry per caller, backend and endpoint: each pod of a workload has its own breaker, and an open one counts. */
export function worstOf(breakers: Iterable<BreakerTraffic>): BreakerTraffic[] {
  const worst = new Map<string, BreakerTraffic>();
  for (const breaker of breakers) {
    const key = `${breaker.from}\u0000${breaker.backend}\u0000${breaker.endpoint}`;
    if (!worst.has(key) || breaker.state === "open") worst.set(key, breaker);
  }
  return [...worst.values()];
}

export interface LostCalls {
  /** `namespace/name`. */
  readonly workload: string;
  readonly requestsPerSecond: number;
}

export interface Traffic {
  readonly windowMs: number;
  /** Sorted by `from`, `service` and `backend`. */
  readonly edges: readonly EdgeTraffic[];
  /** Sorted by `service`. */
  readonly latencies: readonly ServiceLatency[];
  readonly breakers: readonly BreakerTraffic[];
  /** Workloads that make requests without the trace of the request they serve. Sorted. */
  readonly lost: readonly LostCalls[];
  /** When each pod's certificate expires, in ms since 1970, by `namespace/pod`. */
  readonly certificates: ReadonlyMap<string, number>;
}

interface KeptReport {
  readonly atMs: number;
  readonly report: TrafficReport__Output;
}

interface KeptPod {
  readonly from: string;
  /** The reports within the window. */
  readonly reports: KeptReport[];
  heardAtMs: number;
  certificateEndsMs: number;
}

const windowMs = 10_000;
/** A sidecar without traffic sends one report a minute. */
const forgetAfterMs = 150_000;
/** A sidecar with traffic sends one report every two seconds. */
const maxReports = 10;
const maxEntries = 500;
const maxPods = 20_000;
const longestName = 512;

export class TrafficStore {
  readonly #clock: Clock;
  readonly #pods = new Map<string, KeptPod>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ignores reports that no sidecar of ours would send. */
  take(peer: Pick<Peer, "namespace" | "workload" | "pod">, report: TrafficReport__Output): void {
    if (!isSound(report)) return;
    const name = `${peer.namespace}/${peer.pod}`;
    const known = this.#pods.get(name);
    if (known === undefined && this.#pods.size >= maxPods) return;
    const from = `${peer.namespace}/${peer.workload}`;
    const pod = known ?? { from, reports: [], heardAtMs: 0, certificateEndsMs: 0 };
    pod.heardAtMs = this.#clock.now();
    pod.certificateEndsMs = report.certificateExpiryUnixSeconds * 1_000;
    // The trace store keeps the spans.
    pod.reports.push({ atMs: pod.heardAtMs, report: { ...report, spans: [] } });
    if (pod.reports.length > maxReports) pod.reports.shift();
    this.#pods.set(name, pod);
  }

  read(): Traffic {
    const nowMs = this.#clock.now();
    const edges = new Map<string, EdgeSum>();
    const cumulative = new Map<string, number[]>();
    const breakers: BreakerTraffic[] = [];
    const lost = new Map<string, number>();
    const certificates = new Map<string, number>();
    for (const [name, { from, reports, heardAtMs, certificateEndsMs }] of this.#pods) {
      if (nowMs - heardAtMs > forgetAfterMs) {
        this.#pods.delete(name);
        continue;
      }
      certificates.set(name, certificateEndsMs);
      while (reports[0] !== undefined && nowMs - reports[0].atMs > windowMs) reports.shift();
      for (const { backend, endpoint, open } of reports.at(-1)?.report.breakers ?? []) {
        breakers.push({ from, backend, endpoint, state: open ? "open" : "half-open" });
      }
      for (const { report } of reports) {
        if (report.lostCalls > 0) lost.set(from, (lost.get(from) ?? 0) + report.lostCalls);
        for (const edge of report.edges) addEdge(edges, from, edge);
        for (const { service, cumulative: counts } of report.latencies) addCounts(cumulative, service, counts);
      }
    }
    return {
      windowMs,
      edges: [...edges].sort(byKey).map(([, edge]) => edgeTraffic(edge)),
      latencies: [...cumulative].sort(byKey).map(([service, counts]) => ({
        service,
        p50Ms: quantileMs(counts, 0.5),
        p99Ms: quantileMs(counts, 0.99),
      })),
      breakers: worstOf(breakers),
      lost: [...lost].sort(byKey).map(([workload, calls]) => ({
        workload,
        requestsPerSecond: calls / (windowMs / 1_000),
      })),
      certificates,
    };
  }
}

function isSound({ edges, latencies, breakers }: TrafficReport__Output): boolean {
  const short = (text: string) => text.length <= longestName;
  return (
    Math.max(edges.length, latencies.length, breakers.length) <= maxEntries &&
    edges.every(
      ({ service, backend, requests, failures, mutualTls, plaintext }) =>
        short(service) && short(backend) && failures <= requests && mutualTls + plaintext <= requests,
    ) &&
    latencies.every(({ service, cumulative }) => short(service) && cumulative.length <= 64) &&
    breakers.every(({ backend, endpoint }) => short(backend) && short(endpoint))
  );
}

interface EdgeSum {
  readonly from: string;
  readonly service: string;
  readonly backend: string;
  requests: number;
  failures: number;
  mutualTls: number;
  plaintext: number;
}

function edgeTraffic({ from, service, backend, requests, failures, mutualTls, plaintext }: EdgeSum): EdgeTraffic {
  const known = mutualTls + plaintext;
  return {
    from,
    service,
    backend,
    requestsPerSecond: requests / (windowMs / 1_000),
    successShare: 1 - failures / requests,
    ...(known > 0 && { mutualTlsShare: mutualTls / known }),
  };
}

function addEdge(
  sums: Map<string, EdgeSum>,
  from: string,
  { service, backend, requests, failures, mutualTls, plaintext }: TrafficReport__Output["edges"][number],
): void {
  const key = `${from}\u0000${service}\u0000${backend}`;
  const sum = sums.get(key) ?? { from, service, backend, requests: 0, failures: 0, mutualTls: 0, plaintext: 0 };
  sum.requests += requests;
  sum.failures += failures;
  sum.mutualTls += mutualTls;
  sum.plaintext += plaintext;
  sums.set(key, sum);
}

function addCounts(sums: Map<string, number[]>, service: string, counts: readonly number[]): void {
  const sum = sums.get(service);
  if (sum === undefined) sums.set(service, [...counts]);
  else for (const [index, count] of counts.entries()) sum[index] = (sum[index] ?? 0) + count;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return compareStrings(a, b);
}
