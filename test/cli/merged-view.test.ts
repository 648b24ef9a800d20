import { expect, it } from "vitest";
import { mergeViews } from "../../cli/merged-view.ts";
import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";

const empty = { version: "0.1.0", windowMs: 10_000, splits: [], policies: [], problems: ["one"] } as const;
const edge = { from: "shop/web", service: "shop/orders", backend: "shop/orders" };
const sidecar = (pod: string) => ({ pod, workload: "shop/web", services: [], identity: "", version: "0.1.0" });

function view(more: Partial<MeshView>): MeshView {
  return { ...empty, edges: [], latencies: [], breakers: [], sidecars: [], traces: [], lost: [], ...more };
}

it("leaves a single view unchanged", () => {
  const only = view({ edges: [{ ...edge, requestsPerSecond: 1, successShare: 1 }] });
  expect(mergeViews([only])).toBe(only);
});

it("adds up what each replica's own sidecars have counted", () => {
  const merged = mergeViews([
    view({ edges: [{ ...edge, requestsPerSecond: 30, successShare: 1 }], sidecars: [sidecar("shop/web-1")] }),
    view({ edges: [{ ...edge, requestsPerSecond: 10, successShare: 0.6 }], sidecars: [sidecar("shop/web-2")] }),
  ]);
  expect(merged.edges).toEqual([{ ...edge, requestsPerSecond: 40, successShare: 0.9 }]);
  expect(merged.sidecars.map(({ pod }) => pod)).toEqual(["shop/web-1", "shop/web-2"]);
  expect(merged.problems).toEqual(["one"]);
});

it("merges shares of mutual TLS weighted by requests, and leaves out unknown ones", () => {
  const of = (requestsPerSecond: number, mutualTlsShare?: number) =>
    view({
      edges: [{ ...edge, requestsPerSecond, successShare: 1, ...(mutualTlsShare !== undefined && { mutualTlsShare }) }],
    });
  const merged = (...views: MeshView[]) => mergeViews(views).edges[0]?.mutualTlsShare;
  expect(merged(of(30, 1), of(10, 0))).toBe(0.75);
  expect(merged(of(30), of(10, 1))).toBe(1);
  expect(mergeViews([of(30), of(10)]).edges[0]).not.toHaveProperty("mutualTlsShare");
});

it("shows the slowest replica's latency, so that none looks better than it is", () => {
  const latency = { service: "shop/orders", p50Ms: 1, p99Ms: 9 };
  const merged = mergeViews([
    view({ latencies: [latency] }),
    view({ latencies: [{ ...latency, p50Ms: 2, p99Ms: undefined }] }),
    view({ latencies: [{ ...latency, service: "shop/web" }] }),
  ]);
  expect(merged.latencies).toEqual([
    { service: "shop/orders", p50Ms: 2, p99Ms: undefined },
    { service: "shop/web", p50Ms: 1, p99Ms: 9 },
  ]);
});

it("observes a split in the edges of all replicas", () => {
  const split = (observed?: number): MeshView["splits"][number] => ({
    service: "shop/orders",
    route: "TrafficSplit shop/orders",
    backends: [
      { service: "shop/v1", wanted: 0.9, ...(observed !== undefined && { observed }) },
      { service: "shop/v2", wanted: 0.1, ...(observed !== undefined && { observed: 1 - observed }) },
    ],
  });
  const to = (backend: string, requestsPerSecond: number) => ({ ...edge, backend, requestsPerSecond, successShare: 1 });
  const idle = view({ splits: [split()] });
  const one = view({ splits: [split(1)], edges: [to("shop/v1", 5)] });
  const other = view({ splits: [split(0.5)], edges: [to("shop/v1", 1), to("shop/v2", 2)] });
  expect(mergeViews([idle, one, other]).splits).toEqual([split(0.75)]);
  expect(mergeViews([view({}), idle]).splits).toEqual([split()]);
});

it("names a workload that loses traces once, with the sum over its pods", () => {
  const lost = (requestsPerSecond: number) => view({ lost: [{ workload: "shop/web", requestsPerSecond }] });
  expect(mergeViews([lost(1), lost(2)]).lost).toEqual([{ workload: "shop/web", requestsPerSecond: 3 }]);
});

it("joins a trace of which each replica has spans, and lists the newest first", () => {
  const trace = { id: "aa", workload: "shop/web", name: "GET", startMs: 100, durationMs: 50, spans: 2, failed: false };
  const late = { ...trace, workload: "shop/orders", startMs: 120, durationMs: 40, failed: true };
  const newest = { ...trace, id: "bb", startMs: 200, workloads: ["shop/web"] };
  const merged = mergeViews([
    view({ traces: [{ ...late, workloads: ["shop/orders"] }] }),
    view({ traces: [newest, { ...trace, workloads: ["shop/web"] }] }),
  ]);
  const whole = { ...trace, durationMs: 60, spans: 4, failed: true, workloads: ["shop/orders", "shop/web"] };
  expect(merged.traces).toEqual([newest, whole]);
});

it("shows a breaker once, and open if one replica has it open", () => {
  const breaker = { from: "shop/web", backend: "b", endpoint: "10.0.0.1:80" };
  const halfOpen = view({ breakers: [{ ...breaker, state: "half-open" }] });
  const open = view({ breakers: [{ ...breaker, state: "open" }] });
  expect(mergeViews([halfOpen, open, halfOpen]).breakers).toEqual(open.breakers);
});

it("counts a sidecar only once if it has just moved from one replica to another", () => {
  const both = [view({ sidecars: [sidecar("shop/web-1")] }), view({ sidecars: [sidecar("shop/web-1")] })];
  expect(mergeViews(both).sidecars).toHaveLength(1);
});
