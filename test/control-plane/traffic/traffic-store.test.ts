import { expect, it } from "vitest";
import { TrafficStore } from "../../../control-plane/traffic/traffic-store.ts";
import type { TrafficReport__Output } from "../../../proto/generated/tulle/v1/TrafficReport.ts";
import { HandClock } from "../../support/hand-clock.ts";

const web = { namespace: "shop", workload: "web", pod: "web-1" };
const edge = { service: "shop/orders", backend: "shop/orders", requests: 20, failures: 5, mutualTls: 0, plaintext: 0 };

function report(parts: Partial<TrafficReport__Output> = {}): TrafficReport__Output {
  return {
    windowMs: 2_000,
    edges: [],
    latencies: [],
    breakers: [],
    certificateExpiryUnixSeconds: 0,
    spans: [],
    lostCalls: 0,
    ...parts,
  };
}

it("adds up what the pods of a workload have reported in the last ten seconds", () => {
  const clock = new HandClock();
  const store = new TrafficStore(clock);
  store.take(web, report({ edges: [edge] }));
  clock.advance(6_000);
  store.take({ ...web, pod: "web-2" }, report({ edges: [edge] }));
  const [both] = store.read().edges;
  expect(both).toEqual({
    from: "shop/web",
    service: "shop/orders",
    backend: "shop/orders",
    requestsPerSecond: 4,
    successShare: 0.75,
  });
  clock.advance(6_000);
  expect(store.read().edges[0]?.requestsPerSecond).toBe(2);
  clock.advance(6_000);
  expect(store.read().edges).toEqual([]);
});

it("gives the share that went over mutual TLS, and nothing if no sidecar has reported it", () => {
  const store = new TrafficStore(new HandClock());
  store.take(web, report({ edges: [edge] }));
  expect(store.read().edges[0]).not.toHaveProperty("mutualTlsShare");
  store.take(web, report({ edges: [{ ...edge, mutualTls: 15, plaintext: 5 }] }));
  expect(store.read().edges[0]?.mutualTlsShare).toBe(0.75);
});

it("merges the latencies of all callers of a Service", () => {
  const store = new TrafficStore(new HandClock());
  const fast = [0, 0, 0, 0, 9, ...Array<number>(11).fill(9)];
  const slow = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, ...Array<number>(5).fill(1)];
  store.take(web, report({ latencies: [{ service: "shop/orders", cumulative: fast }] }));
  store.take({ ...web, pod: "web-2" }, report({ latencies: [{ service: "shop/orders", cumulative: slow }] }));
  const [latency] = store.read().latencies;
  expect(latency?.p50Ms).toBeLessThan(10);
  expect(latency?.p99Ms).toBeGreaterThan(500);
});

it("shows the breakers and the certificate's end of each pod's last report, until the pod is silent", () => {
  const clock = new HandClock();
  const store = new TrafficStore(clock);
  store.take(web, report({ breakers: [{ backend: "b", endpoint: "10.0.0.1:80", open: true }] }));
  store.take(
    web,
    report({ breakers: [{ backend: "b", endpoint: "10.0.0.1:80", open: false }], certificateExpiryUnixSeconds: 60 }),
  );
  expect(store.read().breakers).toEqual([
    { from: "shop/web", backend: "b", endpoint: "10.0.0.1:80", state: "half-open" },
  ]);
  expect(store.read().certificates).toEqual(new Map([["shop/web-1", 60_000]]));
  clock.advance(60_000);
  expect(store.read().breakers).toEqual([]);
  expect(store.read().certificates.size).toBe(1);
  clock.advance(100_000);
  expect(store.read().certificates.size).toBe(0);
});

it("shows a breaker of several pods once, and open if any is", () => {
  const store = new TrafficStore(new HandClock());
  const endpoint = "10.0.0.1:80";
  store.take(web, report({ breakers: [{ backend: "b", endpoint, open: false }] }));
  store.take({ ...web, pod: "web-2" }, report({ breakers: [{ backend: "b", endpoint, open: true }] }));
  const last = [
    { backend: "b", endpoint, open: false },
    { backend: "c", endpoint, open: false },
  ];
  store.take({ ...web, pod: "web-3" }, report({ breakers: last }));
  expect(store.read().breakers).toEqual([
    { from: "shop/web", backend: "b", endpoint, state: "open" },
    { from: "shop/web", backend: "c", endpoint, state: "half-open" },
  ]);
});

it.each([
  ["more failures than requests", report({ edges: [{ ...edge, failures: 21 }] })],
  ["more connections than requests", report({ edges: [{ ...edge, mutualTls: 20, plaintext: 1 }] })],
  ["more edges than a sidecar sends", report({ edges: Array.from({ length: 501 }, () => edge) })],
  ["a name without end", report({ edges: [{ ...edge, service: "s".repeat(513) }] })],
  ["a histogram without end", report({ latencies: [{ service: "s", cumulative: Array<number>(65).fill(1) }] })],
])("ignores %s", (_what, unsound) => {
  const store = new TrafficStore(new HandClock());
  store.take(web, unsound);
  expect(store.read()).toMatchObject({ edges: [], latencies: [] });
});

it("names workloads that lose the trace of the requests they serve", () => {
  const store = new TrafficStore(new HandClock());
  store.take(web, report({ lostCalls: 15 }));
  store.take({ ...web, pod: "web-2" }, report({ lostCalls: 5 }));
  store.take({ ...web, workload: "orders", pod: "orders-1" }, report());
  expect(store.read().lost).toEqual([{ workload: "shop/web", requestsPerSecond: 2 }]);
});
