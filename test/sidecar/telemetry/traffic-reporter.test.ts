import { expect, it } from "vitest";
import type { Identity } from "../../../sidecar/identity/credentials.ts";
import type { SidecarState } from "../../../sidecar/sidecar.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { RecentSpans } from "../../../sidecar/telemetry/recent-spans.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { TrafficReporter } from "../../../sidecar/telemetry/traffic-reporter.ts";

function resultOf(code: string): string {
  if (code === "499") return "abandoned";
  return code < "500" ? "success" : "failure";
}

function reporter() {
  const registry = new MetricRegistry({ labels: {} });
  const metrics = createSidecarMetrics(registry);
  const breakers: { breakerState: "closed" | "open" | "half-open"; endpoint: { address: string } }[] = [];
  const state = () => ({ backends: { all: [{ name: "b:80", liveEndpoints: breakers }] } }) as unknown as SidecarState;
  const identity = { current: () => ({ notAfterMs: 5_000 }) } as unknown as Identity;
  const request = (
    code: string,
    options: { direction?: "inbound" | "outbound"; ms?: number; tls?: "mutual" | "none" | "" } = {},
  ) => {
    const { direction = "outbound", ms = 3, tls = "mutual" } = options;
    const service = "shop/orders";
    const outcome = { tls, code, grpc: "", result: resultOf(code), error: "" };
    metrics.requests.increment(metrics.requests.slot({ direction, service, peer: "shop/v1", ...outcome }));
    metrics.requestDuration.record(metrics.requestDuration.slot({ direction, service }), ms);
  };
  const spans = new RecentSpans(0);
  return {
    reporter: new TrafficReporter({ metrics, state, identity, spans }),
    request,
    breakers,
    registry,
    metrics,
    spans,
  };
}

it("reports what the application has called since the last report, and nothing twice", () => {
  const { reporter: reports, request } = reporter();
  request("200");
  request("503", { ms: 700 });
  request("200", { direction: "inbound" });
  expect(reports.take(2_000)).toEqual({
    windowMs: 2_000,
    edges: [{ service: "shop/orders", backend: "shop/v1", requests: 2, failures: 1, mutualTls: 2, plaintext: 0 }],
    latencies: [{ service: "shop/orders", cumulative: [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2] }],
    breakers: [],
    certificateExpiryUnixSeconds: 5,
    spans: [],
    lostCalls: 0,
  });
  request("200");
  expect(reports.take(2_000)?.edges).toEqual([
    { service: "shop/orders", backend: "shop/v1", requests: 1, failures: 0, mutualTls: 1, plaintext: 0 },
  ]);
});

it("does not count an abandoned request as a success", () => {
  const { reporter: reports, request } = reporter();
  for (const code of ["200", "499", "404"]) request(code);
  expect(reports.take(2_000)?.edges).toMatchObject([{ requests: 3, failures: 1 }]);
});

it("reports how many went over mutual TLS and how many in the clear, and neither for the others", () => {
  const { reporter: reports, request } = reporter();
  for (const tls of ["mutual", "mutual", "none", ""] as const) request("200", { tls });
  expect(reports.take(2_000)?.edges).toMatchObject([{ requests: 4, mutualTls: 2, plaintext: 1 }]);
});

it("treats a series that returns after it was dropped as a new one", () => {
  const { reporter: reports, request, registry } = reporter();
  for (let i = 0; i < 5; i++) request("200");
  reports.take(2_000);
  registry.releaseIdle(0);
  registry.releaseIdle(3_600_000);
  for (let i = 0; i < 7; i++) request("503", { ms: 700 });
  const report = reports.take(2_000);
  expect(report?.edges).toMatchObject([{ service: "shop/orders", backend: "shop/v1", requests: 7, failures: 7 }]);
  expect(report?.latencies?.[0]?.cumulative?.at(-1)).toBe(7);
});

it("reports at the start, and once a minute without traffic", () => {
  const { reporter: reports } = reporter();
  const told = Array.from({ length: 61 }, () => reports.take(2_000) !== undefined);
  expect(told.flatMap((tells, tick) => (tells ? [tick] : []))).toEqual([0, 30, 60]);
});

it("reports breakers while they are not closed, and once more when they are", () => {
  const { reporter: reports, breakers } = reporter();
  reports.take(2_000);
  breakers.push({ breakerState: "open", endpoint: { address: "10.0.0.1:80" } });
  expect(reports.take(2_000)?.breakers).toEqual([{ backend: "b:80", endpoint: "10.0.0.1:80", open: true }]);
  breakers[0] = { breakerState: "half-open", endpoint: { address: "10.0.0.1:80" } };
  expect(reports.take(2_000)?.breakers).toEqual([{ backend: "b:80", endpoint: "10.0.0.1:80", open: false }]);
  breakers[0] = { breakerState: "closed", endpoint: { address: "10.0.0.1:80" } };
  expect(reports.take(2_000)?.breakers).toEqual([]);
  expect(reports.take(2_000)).toBeUndefined();
});

it("reports calls that lost their trace, once", () => {
  const { reporter: reports, request, metrics } = reporter();
  metrics.lostCalls.add(metrics.lostCalls.slot({ service: "shop/orders" }), 3);
  request("200");
  expect(reports.take(2_000)?.lostCalls).toBe(3);
  request("200");
  expect(reports.take(2_000)?.lostCalls).toBe(0);
});
