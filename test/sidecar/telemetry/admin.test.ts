import { afterEach, expect, it } from "vitest";
import type { ApplicationProbe } from "../../../model/application-probe.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { openAdmin } from "../../../sidecar/telemetry/admin.ts";
import { createSidecarMetrics, sidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { parseExposition } from "../../support/exposition.ts";

const missing: string[] = [];
const probes = new Map<string, ApplicationProbe>();
const wheel = new TimerWheel(performance);
const registry = new MetricRegistry({ labels: { namespace: "shop", workload: "web", pod: "web-1" } });
createSidecarMetrics(registry);
let admin: Awaited<ReturnType<typeof openAdmin>> | undefined;

afterEach(() => {
  admin?.close();
  admin = undefined;
  missing.length = 0;
});

async function ask(path: string, method = "GET"): Promise<{ status: number; type: string | null; text: string }> {
  admin ??= await openAdmin({ host: "127.0.0.1", port: 0, registry, readiness: () => missing, probes, wheel });
  const response = await fetch(`http://127.0.0.1:${admin.port}${path}`, { method });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

it("serves the metrics to a scrape", async () => {
  const { status, type, text } = await ask("/metrics?x=1");
  expect([status, type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(parseExposition(text).get("tulle_spans_dropped_total")).toHaveLength(1);
});

it.each([
  ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", "openmetrics"],
  ["application/openmetrics-text;q=0, text/plain", "text"],
  ["text/html", "text"],
])("answers a scrape that accepts %s in %s", async (accept, format) => {
  admin = await openAdmin({ host: "127.0.0.1", port: 0, registry, readiness: () => missing, probes, wheel });
  const response = await fetch(`http://127.0.0.1:${admin.port}/metrics`, { headers: { accept } });
  expect(response.headers.get("content-type")).toContain(format === "text" ? "text/plain" : "openmetrics-text");
  expect((await response.text()).endsWith("# EOF\n")).toBe(format === "openmetrics");
});

it("is ready once nothing is missing, and says what is missing", async () => {
  missing.push("certificate", "policy");
  expect(await ask("/ready")).toMatchObject({ status: 503, text: "not ready: certificate, policy\n" });
  missing.length = 0;
  expect(await ask("/ready")).toMatchObject({ status: 200 });
  expect(await ask("/live")).toMatchObject({ status: 200 });
});

it("answers a failed scrape with 500, and goes on serving", async () => {
  const broken = new MetricRegistry({ labels: {} });
  broken.gauge(sidecarMetrics.connections, () => {
    throw new Error("no connections to count");
  });
  admin = await openAdmin({
    host: "127.0.0.1",
    port: 0,
    registry: broken,
    readiness: () => missing,
    probes,
    wheel,
  });
  expect(await ask("/metrics")).toMatchObject({ status: 500, text: "no connections to count\n" });
  expect(await ask("/live")).toMatchObject({ status: 200 });
});

it("only reads, and has no other page", async () => {
  expect(await ask("/live", "POST")).toMatchObject({ status: 405 });
  expect(await ask("/quit")).toMatchObject({ status: 404 });
  expect(await ask("/live", "HEAD")).toMatchObject({ status: 200, text: "" });
});

it("rejects if its port is taken", async () => {
  await ask("/live");
  const taken = openAdmin({
    host: "127.0.0.1",
    port: admin?.port ?? 0,
    registry,
    readiness: () => missing,
    probes,
    wheel,
  });
  await expect(taken).rejects.toThrow("EADDRINUSE");
});
