import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { countTries } from "../../../sidecar/telemetry/count-tries.ts";
import { countRetries, countSplit } from "../../../sidecar/telemetry/counts.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
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
  const upstream = new RecordingUpstream();
  const service = countTries(metrics, "shop/catalog")(upstream.service);
  for (const status of [503, 204, 200]) {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(status));
    upstream.response.endResponse();
  }
  for (const grpcStatus of ["0", "14"]) {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(200));
    upstream.response.endResponse(new HeaderFields(["grpc-status", grpcStatus]));
  }
  service(exchangeOf(), new RecordingCaller());
  upstream.response.abortResponse(new MeshError("connect_failed", "10.0.0.1:80"));
  service(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "the caller"));
  expect(await counted("tulle_attempts_total", "service", "outcome")).toEqual([
    ["shop/catalog", "5xx", 1],
    ["shop/catalog", "2xx", 3],
    ["shop/catalog", "UNAVAILABLE", 1],
    ["shop/catalog", "connect_failed", 1],
    ["shop/catalog", "abandoned", 1],
  ]);
});

it("counts retries by their reason, and those that were not made by why not", async () => {
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
