/**
 * What the mesh did between two looks at its sidecars' metrics, as plain data for the screen. Pure. A counter that went down
 * belongs to a restarted sidecar: its value is what happened since.
 */

import type { Sample } from "./exposition.ts";

/** The metrics of all sidecars at one moment. */
export interface Reading {
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

export interface Picture {
  readonly edges: readonly Edge[];
  readonly splits: readonly Split[];
  /** Breakers that are not closed. */
  readonly trippedBreakers: readonly TrippedBreaker[];
  readonly closedBreakers: number;
  readonly sidecars: Sidecars;
}

/** One workload's requests to one Service, as its sidecar counted them. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly perSecond: number;
  /** Answers below 500, 0 to 100; undefined if there are no answers yet. */
  readonly successPercent?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly retriesPerSecond: number;
}

export interface Split {
  readonly service: string;
  readonly route: string;
  readonly backends: readonly SplitBackend[];
}

export interface SplitBackend {
  readonly name: string;
  /** 0 to 100. */
  readonly wantedPercent: number;
  /** 0 to 100; undefined if there are no requests yet. */
  readonly seenPercent?: number;
}

export interface TrippedBreaker {
  readonly from: string;
  readonly backend: string;
  readonly endpoint: string;
  readonly state: "half-open" | "open";
}

export interface Sidecars {
  readonly count: number;
  readonly connected: number;
  /** The time since the oldest certificate in use was issued. */
  readonly certificateAgeMs?: number;
  /** The time until the first certificate expires. */
  readonly certificateLeftMs?: number;
}

/** Certificates are valid from this long before they are issued, for peers whose clocks are behind. */
const backdatedMs = 5 * 60_000;

export function drawPicture(before: Reading, now: Reading, unixMs: number): Picture {
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1_000;
  const growth = new Growth(before.samples, now.samples);
  const states = now.samples.filter(({ name }) => name === "tulle_breaker_state");
  return {
    edges: drawEdges(growth, seconds),
    splits: drawSplits(growth, now.samples),
    trippedBreakers: states.flatMap(drawTripped).sort((a, b) => compare(a.endpoint + a.from, b.endpoint + b.from)),
    closedBreakers: states.filter(({ value }) => value === 0).length,
    sidecars: drawSidecars(now.samples, unixMs),
  };
}

/** The growth of each counter. */
class Growth {
  readonly #now: readonly Sample[];
  readonly #before: ReadonlyMap<string, number>;

  constructor(before: readonly Sample[], now: readonly Sample[]) {
    this.#now = now;
    this.#before = new Map(before.map((sample) => [seriesOf(sample), sample.value]));
  }

  of(name: string): readonly Sample[] {
    return this.#now
      .filter((sample) => sample.name === name)
      .map((sample) => {
        const before = this.#before.get(seriesOf(sample)) ?? 0;
        return { ...sample, value: sample.value < before ? sample.value : sample.value - before };
      });
  }
}

function seriesOf({ name, labels }: Sample): string {
  return JSON.stringify([name, ...[...labels].sort(([a], [b]) => compare(a, b))]);
}

function drawEdges(growth: Growth, seconds: number): readonly Edge[] {
  const outbound = (name: string) => growth.of(name).filter(({ labels }) => labels.get("direction") === "outbound");
  const requests = groupBy(outbound("tulle_requests_total"), edgeOf);
  const buckets = groupBy(outbound("tulle_request_duration_seconds_bucket"), edgeOf);
  const retries = groupBy(growth.of("tulle_retries_total"), edgeOf);
  const edges = [...requests.entries()]
    .filter(([, samples]) => samples[0]?.labels.get("service") !== "")
    .map(([edge, samples]) => {
      const [from = "", to = ""] = edge.split(" ");
      const total = sum(samples);
      const failed = sum(samples.filter(({ labels }) => labels.get("result") !== "success"));
      const durations = buckets.get(edge) ?? [];
      const p50 = quantile(durations, 0.5);
      const p99 = quantile(durations, 0.99);
      return {
        from,
        to,
        perSecond: total / seconds,
        ...(total > 0 ? { successPercent: (100 * (total - failed)) / total } : {}),
        ...(p50 === undefined ? {} : { p50Ms: p50 * 1_000 }),
        ...(p99 === undefined ? {} : { p99Ms: p99 * 1_000 }),
        retriesPerSecond: sum(retries.get(edge) ?? []) / seconds,
      };
    });
  return sortByWay(edges);
}

/** In the order in which a request from outside reaches them, then by name. */
function sortByWay(edges: readonly Edge[]): readonly Edge[] {
  const depths = new Map<string, number>();
  const visit = (workload: string, depth: number) => {
    if (depths.has(workload)) return;
    depths.set(workload, depth);
    for (const { from, to } of edges) if (from === workload) visit(to, depth + 1);
  };
  const called = new Set(edges.map(({ to }) => to));
  for (const { from } of edges) if (!called.has(from)) visit(from, 0);
  const depthOf = ({ from }: Edge) => depths.get(from) ?? 0;
  return edges.toSorted((a, b) => depthOf(a) - depthOf(b) || compare(a.from, b.from) || compare(a.to, b.to));
}

function edgeOf({ labels }: Sample): string {
  return `${labels.get("workload") ?? ""} ${nameOf(labels.get("service") ?? "")}`;
}

/** `shop/web` and `web.shop.svc.cluster.local:80` both appear as `web` on the screen. */
function nameOf(service: string): string {
  const name = service.slice(service.indexOf("/") + 1);
  return name.split(".")[0] ?? name;
}

/** The duration in seconds below which this share of requests stayed, interpolated within its bucket like in Prometheus. */
function quantile(buckets: readonly Sample[], share: number): number | undefined {
  const bounds = groupBy(buckets, ({ labels }) => labels.get("le") ?? "");
  const cumulative = [...bounds.entries()]
    .map(([bound, samples]) => ({
      bound: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
      count: sum(samples),
    }))
    .sort((a, b) => a.bound - b.bound);
  const total = cumulative.at(-1)?.count ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  const index = cumulative.findIndex(({ count }) => count >= rank);
  const bucket = cumulative[index];
  const below = cumulative[index - 1] ?? { bound: 0, count: 0 };
  if (bucket === undefined || bucket.bound === Number.POSITIVE_INFINITY) return below.bound;
  return below.bound + ((bucket.bound - below.bound) * (rank - below.count)) / (bucket.count - below.count);
}

function drawSplits(growth: Growth, samples: readonly Sample[]): readonly Split[] {
  const seen = groupBy(growth.of("tulle_split_requests_total"), splitBackendOf);
  const routes = groupBy(
    samples.filter(({ name }) => name === "tulle_split_weight"),
    ({ labels }) => `${labels.get("service") ?? ""} ${labels.get("route") ?? ""}`,
  );
  return [...routes.values()]
    .map((weights) =>
      drawSplit(
        [...groupBy(weights, splitBackendOf).values()].flatMap(([first]) => first ?? []),
        seen,
      ),
    )
    .filter(({ backends }) => backends.length > 1)
    .sort((a, b) => compare(a.service, b.service));
}

function drawSplit(weights: readonly Sample[], seen: ReadonlyMap<string, readonly Sample[]>): Split {
  const labels = weights[0]?.labels ?? new Map<string, string>();
  const requests = weights.map((weight) => sum(seen.get(splitBackendOf(weight)) ?? []));
  const total = requests.reduce((a, b) => a + b, 0);
  const totalWeight = sum(weights);
  const backends = weights.map((weight, index) => ({
    name: nameOf(weight.labels.get("backend") ?? ""),
    wantedPercent: totalWeight === 0 ? 0 : (100 * weight.value) / totalWeight,
    ...(total === 0 ? {} : { seenPercent: (100 * (requests[index] ?? 0)) / total }),
  }));
  return {
    service: nameOf(labels.get("service") ?? ""),
    route: labels.get("route") ?? "",
    backends: backends.sort((a, b) => compare(a.name, b.name)),
  };
}

/** If several workloads call the same Service, they follow one split. */
function splitBackendOf({ labels }: Sample): string {
  return ["service", "route", "backend"].map((name) => labels.get(name) ?? "").join(" ");
}

function drawTripped({ labels, value }: Sample): readonly TrippedBreaker[] {
  if (value === 0) return [];
  return [
    {
      from: labels.get("workload") ?? "",
      backend: nameOf(labels.get("backend") ?? ""),
      endpoint: labels.get("endpoint") ?? "",
      state: value === 1 ? "half-open" : "open",
    },
  ];
}

function drawSidecars(samples: readonly Sample[], unixMs: number): Sidecars {
  const values = (wanted: string) => samples.filter(({ name }) => name === wanted).map(({ value }) => value);
  const connected = values("tulle_control_stream_connected");
  const notBefore = values("tulle_certificate_not_before_timestamp_seconds").filter((value) => value > 0);
  const expiry = values("tulle_certificate_expiry_timestamp_seconds").filter((value) => value > 0);
  return {
    count: connected.length,
    connected: connected.filter((value) => value === 1).length,
    ...(notBefore.length === 0 ? {} : { certificateAgeMs: unixMs - 1_000 * Math.min(...notBefore) - backdatedMs }),
    ...(expiry.length === 0 ? {} : { certificateLeftMs: 1_000 * Math.min(...expiry) - unixMs }),
  };
}

function groupBy(samples: readonly Sample[], key: (sample: Sample) => string): Map<string, readonly Sample[]> {
  return Map.groupBy(samples, key);
}

function sum(samples: readonly Sample[]): number {
  return samples.reduce((total, { value }) => total + value, 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
