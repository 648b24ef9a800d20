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
  const series = parseExposition(await exposed.expose());
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
  const series = parseExposition(await exposed.expose());
  const buckets = series.get("tulle_request_duration_seconds_bucket") ?? [];
  const counts = new Map(buckets.map(({ labels, value }) => [labels["le"], value]));
  const bounds = ["0.0005", "0.0025", "0.005", "0.05", "30", "+Inf"];
  expect(bounds.map((bound) => counts.get(bound))).toEqual([1, 1, 2, 3, 3, 4]);
  expect(series.get("tulle_request_duration_seconds_count")?.[0]?.value).toBe(4);
  expect(series.get("tulle_request_duration_seconds_sum")?.[0]?.value).toBeCloseTo(60.0432, 6);
});

it("reads a gauge anew at each scrape and forgets what is gone", async () => {
  const exposed = registry();
  let endpoints = ["10.0.0.1:80", "10.0.0.2:80"];
  exposed.gauge(sidecarMetrics.breakerState, (emit) => {
    for (const endpoint of endpoints) emit({ backend: "catalog", endpoint }, 2);
  });
  expect(parseExposition(await exposed.expose()).get("tulle_breaker_state")).toHaveLength(2);
  endpoints = ["10.0.0.2:80"];
  expect(parseExposition(await exposed.expose()).get("tulle_breaker_state")).toHaveLength(1);
  endpoints = Array.from({ length: 1_000 }, (_, i) => `10.0.0.1:${i}`);
  expect(parseExposition(await exposed.expose()).get("tulle_breaker_state")).toHaveLength(50);
});

it("shows label values that need escaping as they are", async () => {
  const exposed = registry();
  const { passthrough } = createSidecarMetrics(exposed);
  const reason = 'a "quoted" \\ back\nslash';
  passthrough.increment(passthrough.slot({ reason }));
  expect(parseExposition(await exposed.expose()).get("tulle_passthrough_total")?.[0]?.labels["reason"]).toBe(reason);
});
