import { expect, it } from "vitest";
import { createSidecarMetrics, sidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { parseExposition } from "../../support/exposition.ts";

function registry(): MetricRegistry {
  return new MetricRegistry({ labels: { namespace: "shop", workload: "web", pod: "web-1" }, seriesLimit: 50 });
}

it("exposes what was counted, with the pod's labels", async () => {
  const exposed = registry();
  const { retries, spansDropped } = createSidecarMetrics(exposed);
  const slot = retries.slot({ service: "shop/orders", reason: "503" });
  retries.increment(slot);
  retries.add(slot, 2);
  spansDropped.add(0, 7);
  const series = parseExposition((await exposed.expose()).text);
  const pod = { namespace: "shop", workload: "web", pod: "web-1" };
  expect(series.get("tulle_retries_total")).toEqual([
    { labels: { service: "shop/orders", reason: "503", ...pod }, value: 3 },
  ]);
  expect(series.get("tulle_spans_dropped_total")).toEqual([{ labels: pod, value: 7 }]);
});

it("exposes a histogram in seconds, cumulative, with its sum and count", async () => {
  const exposed = registry();
  const { requestDuration } = createSidecarMetrics(exposed);
  const slot = requestDuration.slot({ direction: "inbound", service: "shop/web" });
  for (const ms of [0.2, 3, 40, 60_000]) requestDuration.record(slot, ms);
  const series = parseExposition((await exposed.expose()).text);
  const buckets = series.get("tulle_request_duration_seconds_bucket") ?? [];
  const counts = new Map(buckets.map(({ labels, value }) => [labels["le"], value]));
  const bounds = ["0.0005", "0.0025", "0.005", "0.05", "30", "+Inf"];
  expect(bounds.map((bound) => counts.get(bound))).toEqual([1, 1, 2, 3, 3, 4]);
  expect(series.get("tulle_request_duration_seconds_count")?.[0]?.value).toBe(4);
  expect(series.get("tulle_request_duration_seconds_sum")?.[0]?.value).toBeCloseTo(60.0432, 6);
});

it("reads a gauge at each scrape, and forgets series that are gone", async () => {
  const exposed = registry();
  let endpoints = ["10.0.0.1:80", "10.0.0.2:80"];
  exposed.gauge(sidecarMetrics.breakerState, (emit) => {
    for (const endpoint of endpoints) emit({ backend: "catalog", endpoint }, 2);
  });
  expect(parseExposition((await exposed.expose()).text).get("tulle_breaker_state")).toHaveLength(2);
  endpoints = ["10.0.0.2:80"];
  expect(parseExposition((await exposed.expose()).text).get("tulle_breaker_state")).toHaveLength(1);
  endpoints = Array.from({ length: 1_000 }, (_, i) => `10.0.0.1:${i}`);
  expect(parseExposition((await exposed.expose()).text).get("tulle_breaker_state")).toHaveLength(50);
});

it("escapes label values", async () => {
  const exposed = registry();
  const { passthrough } = createSidecarMetrics(exposed);
  const reason = 'a "quoted" \\ back\nslash';
  passthrough.increment(passthrough.slot({ reason }));
  expect(parseExposition((await exposed.expose()).text).get("tulle_passthrough_total")?.[0]?.labels["reason"]).toBe(
    reason,
  );
});

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

it("adds exemplars in OpenMetrics, and in no other format", async () => {
  const exposed = new MetricRegistry({ labels: { pod: "web-1" }, epochMs: 1_700_000_000_000 });
  const { requestDuration, retries } = createSidecarMetrics(exposed);
  const slot = requestDuration.slot({ direction: "inbound", service: "shop/web" });
  for (const valueMs of [40, 60_000]) {
    requestDuration.record(slot, valueMs);
    requestDuration.illustrate(slot, { traceId, valueMs, atMs: 500 });
  }
  retries.increment(retries.slot({ service: "shop/web", reason: "503" }));
  const plain = await exposed.expose();
  expect(plain.text).not.toContain(traceId);
  const { type, text } = await exposed.expose("openmetrics");
  expect(type).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  const lines = text.split("\n").filter((line) => line.includes(traceId));
  const labels = 'direction="inbound",service="shop/web"';
  const exemplar = `# {trace_id="${traceId}"}`;
  expect(lines).toEqual([
    `tulle_request_duration_seconds_bucket{${labels},le="0.05",pod="web-1"} 1 ${exemplar} 0.04 1700000000.5`,
    `tulle_request_duration_seconds_bucket{${labels},le="+Inf",pod="web-1"} 2 ${exemplar} 60 1700000000.5`,
  ]);
  expect(text).toContain("# TYPE tulle_retries counter\ntulle_retries_total{");
  expect(text.endsWith("\n# EOF\n")).toBe(true);
  expect((await exposed.expose()).text).toBe(plain.text);
});

const hourMs = 3_600_000;

it("drops series that have not grown for an hour, but none whose labels can't grow", async () => {
  const exposed = registry();
  const { attempts, policyUpdates, requestDuration } = createSidecarMetrics(exposed);
  const try_ = (service: string) => attempts.increment(attempts.slot({ service, outcome: "2xx" }));
  const shown = async () =>
    parseExposition((await exposed.expose()).text)
      .get("tulle_attempts_total")
      ?.map(({ labels, value }) => [labels["service"], value]);
  try_("shop/busy");
  try_("shop/idle");
  requestDuration.record(requestDuration.slot({ direction: "outbound", service: "shop/idle" }), 5);
  policyUpdates.increment(policyUpdates.slot({ kind: "inbound", outcome: "ack" }));
  exposed.releaseIdle(0);
  try_("shop/busy");
  exposed.releaseIdle(hourMs / 2);
  exposed.releaseIdle(hourMs);
  expect(await shown()).toEqual([["shop/busy", 2]]);
  const series = parseExposition((await exposed.expose()).text);
  expect(series.get("tulle_request_duration_seconds_count")).toBeUndefined();
  expect(series.get("tulle_policy_updates_total")).toHaveLength(1);
  try_("shop/new");
  try_("shop/idle");
  expect(await shown()).toEqual([
    ["shop/busy", 2],
    ["shop/new", 1],
    ["shop/idle", 1],
  ]);
});

it("has room again once idle series are gone", () => {
  const exposed = registry();
  const { attempts } = createSidecarMetrics(exposed);
  const labelsOf = (slot: number) => attempts.labelSets.entries.find(([known]) => known === slot)?.[1];
  for (let i = 0; i < 60; i++) attempts.slot({ service: `shop/s${i}`, outcome: "2xx" });
  expect(labelsOf(attempts.slot({ service: "shop/late", outcome: "2xx" }))?.["service"]).toBe("other");
  exposed.releaseIdle(0);
  exposed.releaseIdle(hourMs);
  expect(attempts.labelSets.count).toBe(0);
  expect(labelsOf(attempts.slot({ service: "shop/late", outcome: "2xx" }))?.["service"]).toBe("shop/late");
});
