import { expect, it } from "vitest";
import { mergeViews } from "../../cli/merged-view.ts";
import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";

const empty = { version: "0.1.0", windowMs: 10_000, splits: [], policies: [], problems: ["one"] } as const;
const edge = { from: "shop/web", service: "shop/orders", backend: "shop/orders" };
const sidecar = (pod: string) => ({ pod, workload: "shop/web", identity: "", version: "0.1.0" });

function view(more: Partial<MeshView>): MeshView {
  return { ...empty, edges: [], latencies: [], breakers: [], sidecars: [], traces: [], lost: [], ...more };
}

it("leaves a view that is alone as it is", () => {
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

it("counts a sidecar once that has just moved from one replica to another", () => {
  const both = [view({ sidecars: [sidecar("shop/web-1")] }), view({ sidecars: [sidecar("shop/web-1")] })];
  expect(mergeViews(both).sidecars).toHaveLength(1);
});
