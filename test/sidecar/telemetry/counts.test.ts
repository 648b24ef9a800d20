import { expect, it } from "vitest";
import { CountedTries } from "../../../sidecar/telemetry/count-tries.ts";
import { countRetries, countSplit } from "../../../sidecar/telemetry/counts.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { parseExposition } from "../../support/exposition.ts";

function counting() {
  const registry = new MetricRegistry({ labels: {} });
  const metrics = createSidecarMetrics(registry);
  async function counted(name: string, ...labelNames: string[]): Promise<unknown[]> {
    const samples = parseExposition((await registry.expose()).text).get(name) ?? [];
    return samples.map(({ labels, value }) => [...labelNames.map((label) => labels[label]), value]);
  }
  return { metrics, counted };
}

it("counts each try by how it ended", async () => {
  const { metrics, counted } = counting();
  const tries = new CountedTries(metrics, "shop/catalog");
  for (const status of [503, 204, 200]) tries.answered(status, undefined);
  for (const grpcStatus of [0, 14]) tries.answered(200, grpcStatus);
  tries.failed("connect_failed");
  tries.abandoned();
  expect(await counted("tulle_attempts_total", "service", "outcome")).toEqual([
    ["shop/catalog", "5xx", 1],
    ["shop/catalog", "2xx", 3],
    ["shop/catalog", "UNAVAILABLE", 1],
    ["shop/catalog", "connect_failed", 1],
    ["shop/catalog", "abandoned", 1],
  ]);
});

it("counts retries by their reason, and skipped ones by the reason why", async () => {
  const { metrics, counted } = counting();
  const counts = countRetries(metrics, "shop/catalog");
  counts.retried("503");
  counts.retried("503");
  counts.notRetried("not_idempotent");
  expect(await counted("tulle_retries_total", "reason")).toEqual([["503", 2]]);
  expect(await counted("tulle_retries_skipped_total", "reason")).toEqual([["not_idempotent", 1]]);
});

it("counts what a route sent to each of its backends", async () => {
  const { metrics, counted } = counting();
  const count = countSplit(metrics, "shop/catalog");
  for (const backend of ["shop/v1", "shop/v2", "shop/v1"]) count("TrafficSplit shop/catalog", backend);
  expect(await counted("tulle_split_requests_total", "route", "backend")).toEqual([
    ["TrafficSplit shop/catalog", "shop/v1", 2],
    ["TrafficSplit shop/catalog", "shop/v2", 1],
  ]);
});
