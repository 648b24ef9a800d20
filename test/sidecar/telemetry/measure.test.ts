import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Exchange } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exposedBoundsMs } from "../../../sidecar/telemetry/histogram.ts";
import { type Direction, measureAndRescue } from "../../../sidecar/telemetry/measure.ts";
import { createSidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import type { Span } from "../../../sidecar/telemetry/span.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { parseExposition } from "../../support/exposition.ts";
import { HandClock } from "../../support/hand-clock.ts";

function measured(direction: Direction) {
  const registry = new MetricRegistry({ labels: {}, seriesLimit: 1_000 });
  const metrics = createSidecarMetrics(registry);
  const clock = new HandClock(5_000);
  const upstream = new RecordingUpstream();
  const service = measureAndRescue({ metrics, clock, direction, service: "shop/orders" })(upstream.service);
  async function counted(): Promise<unknown[]> {
    const samples = parseExposition((await registry.expose()).text).get("tulle_requests_total") ?? [];
    return samples.map(({ labels, value }) => [labels["peer"], labels["code"], labels["error"], value]);
  }
  return { registry, metrics, clock, upstream, service, counted };
}

it("counts a response by its status and peer, and its duration to its last byte", async () => {
  const { service, upstream, clock, counted, metrics } = measured("inbound");
  const exchange = exchangeOf();
  exchange.peer = "spiffe://demo/ns/shop/sa/web";
  service(exchange, new RecordingCaller());
  upstream.response.head(responseHead(200));
  clock.advance(40);
  expect(await counted()).toEqual([]);
  upstream.response.endResponse();
  expect(await counted()).toEqual([["shop/web", "200", "", 1]]);
  expect(metrics.requestDuration.sumMs(0)).toBe(40);
});

it("names the error of a response that the mesh made, and no unknown one", async () => {
  const { service, upstream, counted } = measured("outbound");
  for (const code of ["circuit_open", "made_up_by_an_upstream"]) {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(503, { "tulle-error": code }));
    upstream.response.endResponse();
  }
  expect(await counted()).toEqual([
    ["", "503", "circuit_open", 1],
    ["", "503", "other", 1],
  ]);
});

it("counts an aborted exchange by what the caller saw", async () => {
  const { service, upstream, counted } = measured("outbound");
  service(exchangeOf(), new RecordingCaller());
  upstream.response.abortResponse(new MeshError("connect_timeout", "10.0.0.1:80"));
  service(exchangeOf(), new RecordingCaller());
  upstream.response.head(responseHead(200));
  upstream.response.abortResponse(new MeshError("upstream_closed", "10.0.0.1:80"));
  service(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "the caller"));
  expect(await counted()).toEqual([
    ["", "504", "connect_timeout", 1],
    ["", "200", "upstream_closed", 1],
    ["", "499", "upstream_closed", 1],
  ]);
});

it("counts a gRPC call by the status in its trailers, or in its head if there is nothing else", async () => {
  const { service, upstream, registry } = measured("outbound");
  for (const status of ["0", "14", "7", "99"]) {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(200));
    upstream.response.endResponse(new HeaderFields(["grpc-status", status]));
  }
  service(exchangeOf(), new RecordingCaller());
  upstream.response.head({ ...responseHead(200, { "grpc-status": "13" }), bodyless: true });
  upstream.response.endResponse();
  const samples = parseExposition((await registry.expose()).text).get("tulle_requests_total") ?? [];
  expect(samples.map(({ labels }) => [labels["code"], labels["grpc"], labels["result"]])).toEqual([
    ["200", "OK", "success"],
    ["200", "UNAVAILABLE", "failure"],
    ["200", "PERMISSION_DENIED", "success"],
    ["200", "UNKNOWN", "failure"],
    ["200", "INTERNAL", "failure"],
  ]);
});

it("distinguishes failed, refused and abandoned requests", async () => {
  const { service, upstream, registry } = measured("outbound");
  for (const status of [200, 429, 500]) {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(status));
    upstream.response.endResponse();
  }
  service(exchangeOf(), new RecordingCaller());
  upstream.response.head(responseHead(200));
  upstream.response.abortResponse(new MeshError("upstream_closed", "10.0.0.1:80"));
  service(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "the caller"));
  const samples = parseExposition((await registry.expose()).text).get("tulle_requests_total") ?? [];
  expect(samples.map(({ labels }) => [labels["code"], labels["error"], labels["result"]])).toEqual([
    ["200", "", "success"],
    ["429", "", "success"],
    ["500", "", "failure"],
    ["200", "upstream_closed", "failure"],
    ["499", "upstream_closed", "abandoned"],
  ]);
});

it("names the backend that an outbound request went to", async () => {
  const { service, upstream, counted } = measured("outbound");
  service(exchangeOf(), new RecordingCaller());
  upstream.exchange.backend = "shop/orders-v2";
  upstream.response.head(responseHead(404));
  upstream.response.endResponse();
  expect(await counted()).toEqual([["shop/orders-v2", "404", "", 1]]);
});

it("says whether the connection to the peer is mutual TLS", async () => {
  const tlsOf = async (direction: Direction, found: Pick<Exchange, "peer" | "overMutualTls">) => {
    const { service, upstream, registry } = measured(direction);
    service(Object.assign(exchangeOf(), found), new RecordingCaller());
    upstream.response.head(responseHead(200));
    upstream.response.endResponse();
    const samples = parseExposition((await registry.expose()).text).get("tulle_requests_total") ?? [];
    return samples.map(({ labels }) => labels["tls"]);
  };
  const peer = "spiffe://demo/ns/shop/sa/web";
  expect(await tlsOf("outbound", { peer: undefined, overMutualTls: true })).toEqual(["mutual"]);
  expect(await tlsOf("outbound", { peer: undefined, overMutualTls: false })).toEqual(["none"]);
  expect(await tlsOf("outbound", { peer: undefined, overMutualTls: undefined })).toEqual([""]);
  expect(await tlsOf("inbound", { peer, overMutualTls: undefined })).toEqual(["mutual"]);
  expect(await tlsOf("inbound", { peer: undefined, overMutualTls: undefined })).toEqual(["none"]);
});

it("adds a recorded trace to the duration as an exemplar, and no other", () => {
  const { service, upstream, clock, metrics } = measured("outbound");
  const exchange = exchangeOf();
  service(exchange, new RecordingCaller());
  clock.advance(40);
  upstream.response.head(responseHead(200));
  upstream.response.endResponse();
  const bucket = exposedBoundsMs.indexOf(50);
  expect(metrics.requestDuration.exemplar(0, bucket)).toBeUndefined();
  service(exchange, new RecordingCaller());
  exchange.span = { context: { traceId: "4bf92f3577b34da6a3ce929d0e0e4736" } } as Span;
  clock.advance(30);
  upstream.response.head(responseHead(200));
  upstream.response.endResponse();
  expect(metrics.requestDuration.exemplar(0, bucket)).toMatchObject({ valueMs: 30, atMs: 5_070 });
});

it("goes on counting after idle series were dropped", async () => {
  const { service, upstream, registry, counted, metrics } = measured("outbound");
  const ask = () => {
    service(exchangeOf(), new RecordingCaller());
    upstream.response.head(responseHead(200));
    upstream.response.endResponse();
  };
  ask();
  registry.releaseIdle(0);
  registry.releaseIdle(3_600_000);
  const none = { service: "", peer: "", tls: "", code: "", grpc: "", result: "", error: "" };
  metrics.requests.slot({ direction: "inbound", ...none });
  ask();
  expect(await counted()).toEqual([
    ["", "", "", 0],
    ["", "200", "", 1],
  ]);
  expect(metrics.requestDuration.count(0)).toBe(1);
});

it("counts bytes as they pass, both ways, and on where idle series were let go", () => {
  const { service, upstream, registry, metrics } = measured("inbound");
  const request = service(exchangeOf(), new RecordingCaller());
  request.writeRequest(Buffer.from("seven b"));
  upstream.response.head(responseHead(200));
  upstream.response.writeResponse(Buffer.from("four"));
  upstream.response.writeResponse(Buffer.from("four"));
  const labels = { direction: "inbound", service: "shop/orders" } as const;
  const bytes = () =>
    [metrics.requestBytes, metrics.responseBytes].map((counter) => counter.value(counter.slot(labels)));
  expect(bytes()).toEqual([7, 8]);
  registry.releaseIdle(0);
  registry.releaseIdle(3_600_000);
  upstream.response.writeResponse(Buffer.from("four"));
  expect(bytes()).toEqual([0, 4]);
});

it("stays bounded under 100,000 distinct peers", async () => {
  const { service, upstream, counted, registry } = measured("inbound");
  for (let i = 0; i < 100_000; i++) {
    const exchange = exchangeOf();
    exchange.peer = `spiffe://demo/ns/n${i}/sa/default`;
    service(exchange, new RecordingCaller());
    upstream.response.head(responseHead(200 + (i % 3)));
    upstream.response.endResponse();
  }
  const rows = await counted();
  expect(rows.length).toBeLessThanOrEqual(1_003);
  expect(rows.reduce<number>((sum, row) => sum + ((row as unknown[])[3] as number), 0)).toBe(100_000);
  expect((await registry.expose()).text.length).toBeLessThan(200_000);
});
