/** The debug pages of a real sidecar's admin port. */

import http from "node:http";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ApplicationProbe } from "../../../model/application-probe.ts";
import { debugPages, type LiveSnapshot, snapshotPath, tapPath } from "../../../sidecar/debug/debug-pages.ts";
import { maxTaps, RequestTaps, type TappedRequest } from "../../../sidecar/debug/request-taps.ts";
import type { GoodResource } from "../../../sidecar/discovery/held-resource.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { openAdmin } from "../../../sidecar/telemetry/admin.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { debugField } from "../../../system/loopback-page.ts";
import { answerTo } from "../../support/answer-to.ts";
import { eventually } from "../../support/eventually.ts";

const inForce: GoodResource[] = [
  { version: "v1", resource: { kind: "inbound", value: { name: "shop/web", ports: [] } } },
];
const request: TappedRequest = {
  atMs: 0,
  direction: "outbound",
  from: "shop/web",
  to: "shop/orders",
  method: "GET",
  authority: "orders",
  path: "/",
  status: 200,
  durationMs: 1,
  requestBytes: 0,
  responseBytes: 0,
  attempts: 1,
};

let taps: RequestTaps;
let admin: Awaited<ReturnType<typeof openAdmin>>;

beforeEach(async () => {
  taps = new RequestTaps(performance);
  const debug = debugPages({
    taps,
    inForce: () => inForce,
    identity: () => "spiffe://cluster.local/ns/shop/sa/web",
    state: () => undefined,
  });
  const registry = new MetricRegistry({ labels: {} });
  const wheel = new TimerWheel(performance);
  const probes = new Map<string, ApplicationProbe>();
  admin = await openAdmin({ host: "127.0.0.1", port: 0, registry, readiness: () => [], probes, wheel, debug });
});
afterEach(() => admin.close());

async function ask(path: string, headers: Record<string, string> = { [debugField]: "yes" }) {
  const asking = http.get({ host: "127.0.0.1", port: admin.port, path, headers, agent: false });
  const response = await answerTo(asking);
  return response;
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return text;
}

it("shows what the sidecar applies", async () => {
  const response = await ask(snapshotPath);
  expect(JSON.parse(await textOf(response)) as LiveSnapshot).toEqual({
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    resources: [{ kind: "inbound", version: "v1", value: { name: "shop/web", ports: [] } }],
    breakers: [],
  });
});

it.each([tapPath, snapshotPath])("refuses at %s what a browser or a tricked application can send", async (path) => {
  expect((await ask(path, {})).statusCode).toBe(403);
  expect((await ask(path, { [debugField]: "yes", host: "evil.example:15020" })).statusCode).toBe(421);
});

it("streams requests as they end, to everyone who watches, while they watch", async () => {
  const response = await ask(`${tapPath}?to=shop/orders&rate=10`);
  expect(response.headers["content-type"]).toBe("application/x-ndjson");
  const lines = createInterface(response)[Symbol.asyncIterator]();
  taps.report({ ...request, to: "shop/payments" });
  taps.report(request);
  expect(JSON.parse((await lines.next()).value as string)).toEqual(request);
  expect(taps.isIdle).toBe(false);
  response.destroy();
  await eventually(() => taps.isIdle);
});

it("shows nothing in response to HEAD", async () => {
  const path = tapPath;
  const headers = { [debugField]: "yes" };
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i <= maxTaps; i++) {
    const asking = http.request({ method: "HEAD", host: "127.0.0.1", port: admin.port, path, headers, agent }).end();
    const response = await answerTo(asking);
    expect([response.statusCode, await textOf(response)]).toEqual([200, ""]);
    expect(taps.isIdle).toBe(true);
  }
  agent.destroy();
});

it("says how many were not shown", async () => {
  const response = await ask(`${tapPath}?rate=1`);
  const lines = createInterface(response)[Symbol.asyncIterator]();
  for (let i = 0; i < 5; i++) taps.report(request);
  await lines.next();
  expect(JSON.parse((await lines.next()).value as string)).toEqual({ missed: 4 });
  response.destroy();
});

it.each([
  ["?rate=0", "rate must be a number from 1 to 1000, got 0\n"],
  ["?rate=x", "rate must be a number from 1 to 1000, got x\n"],
  ["?status=abc", "status must be like 503 or 5xx, got abc\n"],
])("refuses %s", async (query, text) => {
  const response = await ask(tapPath + query);
  expect([response.statusCode, await textOf(response)]).toEqual([400, text]);
  expect(taps.isIdle).toBe(true);
});

it("limits how many watch at once", async () => {
  const open = await Promise.all(Array.from({ length: maxTaps }, () => ask(tapPath)));
  expect((await ask(tapPath)).statusCode).toBe(503);
  for (const response of open) response.destroy();
  await eventually(() => taps.isIdle);
});
