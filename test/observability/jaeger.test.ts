/** The demo shop's traces as a real Jaeger has them. */

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { catalogs, Shop } from "../../deploy/demo/tour/shop.ts";
import { eventually } from "../support/eventually.ts";
import { Jaeger } from "./jaeger.ts";
import { isPaymentsServer, type JaegerSpan, orderUpwards, orphansIn, wayUp } from "./jaeger-query.ts";

const undo = new AsyncDisposableStack();
let jaeger: Jaeger;
let shop: Shop;

beforeAll(async () => {
  jaeger = undo.use(await Jaeger.start());
  const before = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  // The shop's own receiver passes everything on to it.
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = jaeger.endpoint;
  undo.defer(() => {
    if (before === undefined) delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    else process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = before;
  });
  shop = undo.use(await Shop.open(new AbortController().signal, () => undefined));
});

afterAll(() => undo.disposeAsync());

interface Asked {
  readonly status: number;
  readonly spans: readonly JaegerSpan[];
  /** The span that the client says it made. */
  readonly clientSpanId: string;
}

/** Asks with a sampled context, and waits until Jaeger has as many spans as `isWhole` wants. */
async function traced(from: string, url: string, isWhole: (spans: readonly JaegerSpan[]) => boolean): Promise<Asked> {
  const traceId = randomBytes(16).toString("hex");
  const clientSpanId = randomBytes(8).toString("hex");
  const { status } = await shop.ask(from, { url, headers: { traceparent: `00-${traceId}-${clientSpanId}-01` } });
  let spans: readonly JaegerSpan[] = [];
  await eventually(async () => {
    spans = await jaeger.trace(traceId);
    return isWhole(spans) && orphansIn(spans, clientSpanId).length === 0;
  }, 20_000);
  return { status, spans, clientSpanId };
}

it("has one trace over four services, every span below the one that caused it", async () => {
  const { status, spans } = await traced(
    "load",
    "http://web/",
    (all) => all.some(isPaymentsServer) && all.length >= 19,
  );
  expect(status).toBe(200);
  expect([...new Set(spans.map(({ service }) => service))].sort()).toEqual(
    expect.arrayContaining(["load", "orders", "payments", "web"]),
  );
  expect(wayUp(spans, spans.find(isPaymentsServer))).toEqual(orderUpwards);
  expect(spans.filter(({ tags }) => tags.get("error") === true)).toEqual([]);
});

it("shows for each try which route and endpoint it took", async () => {
  const { spans } = await traced("orders", "http://catalog/articles/1", (all) => all.length >= 4);
  const tried = spans.find(({ service, tags }) => service === "orders" && tags.has("tulle.attempt"));
  const said = Object.fromEntries(tried?.tags ?? []);
  expect(said).toMatchObject({
    "span.kind": "client",
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "url.path": "/articles/1",
    "server.address": "catalog",
    "tulle.attempt": 1,
    "tulle.route": "TrafficSplit shop/catalog",
  });
  expect(said["tulle.backend"]).toMatch(/^shop\/catalog-v[12]$/);
  expect(said["network.peer.address"]).toMatch(/^127\./);
});

it("shows retries as tries side by side, each failed one marked, below one request that says how it ended", async () => {
  await shop.trouble(catalogs, { failPercent: 100 });
  const { status, spans, clientSpanId } = await traced(
    "orders",
    "http://catalog/articles/1",
    (all) => all.filter(({ tags }) => tags.has("tulle.attempt")).length >= 5,
  );
  await shop.trouble(catalogs, { failPercent: 0 });
  expect(status).toBe(503);
  const request = spans.find(({ parentSpanId }) => parentSpanId === clientSpanId);
  expect(request?.tags.get("error")).toBe(true);
  expect(request?.tags.get("http.response.status_code")).toBe(503);
  const tries = spans.filter(({ tags, service }) => service === "orders" && tags.has("tulle.attempt"));
  expect(new Set(tries.map(({ tags }) => tags.get("tulle.attempt")))).toEqual(new Set([1, 2, 3, 4, 5]));
  expect(tries).toHaveLength(5);
  expect(new Set(tries.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([request?.spanId]));
  expect(tries.map(({ tags }) => tags.get("error"))).toEqual([true, true, true, true, true]);
  const reasons = tries
    .filter(({ tags }) => tags.get("tulle.attempt") !== 1)
    .map(({ tags }) => tags.get("tulle.retry_reason"));
  expect(reasons).toEqual(["503", "503", "503", "503"]);
});

it("knows every service of the shop by its workload's name", async () => {
  expect(await jaeger.services()).toEqual(expect.arrayContaining(["catalog-v1", "load", "orders", "payments", "web"]));
});
