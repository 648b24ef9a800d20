/** The demo shop's metrics as a real Prometheus scrapes them, the dashboards' queries, and the alert rules. */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { controlPlanePorts, sidecarPorts } from "../../cli/dev/addresses.ts";
import { catalogs, Shop } from "../../deploy/demo/tour/shop.ts";
import { dashboards } from "../../deploy/grafana/generate.ts";
import { eventually } from "../support/eventually.ts";
import { installPrometheus, Prometheus } from "./prometheus.ts";

const alerts = "deploy/prometheus/alerts.yaml";
const undo = new AsyncDisposableStack();
let shop: Shop;
let prometheus: Prometheus;
let targets: readonly string[];

beforeAll(async () => {
  shop = undo.use(await Shop.open(new AbortController().signal, () => undefined));
  const sidecars = shop.mesh.pods.map(({ identity }) => `${identity.podIP}:${sidecarPorts.admin}`);
  targets = [...sidecars, `${shop.mesh.controlPlane.address}:${controlPlanePorts.admin}`];
  prometheus = undo.use(await Prometheus.start(targets, alerts));
  await eventually(async () => (await prometheus.query("up == 1")).length === targets.length, 20_000);
  await makeTraffic();
});

afterAll(() => undo.disposeAsync());

/** Good requests, retried and failed ones, and changes of policies, until Prometheus has seen all of it grow. */
async function makeTraffic(): Promise<void> {
  const growing = [
    'rate(tulle_requests_total{service="shop/web"}[10s])',
    'rate(tulle_requests_total{service="shop/payments"}[10s])',
    "rate(tulle_compile_seconds_count[10s])",
  ];
  const seen = growing.map((rate) => `sum(${rate}) > 0`).join(" and on () ");
  await eventually(async () => {
    const undoEdit = shop.editPolicies("maxAttempts: 5", "maxAttempts: 6");
    await shop.trouble(catalogs, { failPercent: 60 });
    for (let i = 0; i < 20; i++) await shop.ask("load", { url: "http://web/" });
    await shop.trouble(catalogs, { failPercent: 0 });
    for (let i = 0; i < 20; i++) await shop.ask("load", { url: "http://web/" });
    undoEdit();
    return (await prometheus.query(seen)).length > 0;
  }, 30_000);
}

function promtool(args: readonly string[], input = ""): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (error !== undefined) throw new Error(`promtool is missing: ${installPrometheus}`, { cause: error });
  return { status, said: `${stdout}${stderr}` };
}

it("exposes metrics that pass promtool's check, in sidecars and control plane", async () => {
  for (const target of targets) {
    const text = await (await fetch(`http://${target}/metrics`)).text();
    expect(text).toContain("# TYPE tulle_");
    expect([target, promtool(["check", "metrics"], text)]).toEqual([target, { status: 0, said: "" }]);
  }
});

const asked = dashboards.flatMap(({ uid, rows }) =>
  rows.flat().flatMap(({ title, queries }) => queries.map(({ expr }) => [uid, title, expr] as const)),
);

/** What there is nothing of as long as all is well. */
const silentWhenWell = new Set([
  "Answers that the mesh made itself",
  "Handshakes that failed",
  "Refused by access policies",
  "Breakers that are not closed",
  "Retries not made",
  "Problems",
  "Policy lag",
  "Versions behind",
  "Certificates",
]);

it.each(asked)("answers %s: %s", async (_dashboard, title, expr) => {
  const filled = expr
    .replaceAll("$__rate_interval", "30s")
    .replaceAll("$namespace", "shop")
    .replaceAll("$workload", title === "Endpoints it knows" ? "orders" : "load")
    .replaceAll("$service", expr.includes("split") || expr.includes("tries") ? "shop/catalog" : "shop/web");
  const samples = await prometheus.query(filled);
  if (silentWhenWell.has(title)) return;
  expect(samples).not.toEqual([]);
  for (const { value } of samples) expect(value).not.toBeNaN();
});

const chosen = dashboards.flatMap(({ uid, variables }) =>
  variables.map(({ name, query }) => [uid, name, query] as const),
);

it.each(chosen)("offers values for a choice of %s: %s", async (_dashboard, name, query) => {
  const filled = query.replaceAll("$namespace", "shop").replaceAll("$workload", "load");
  const values = await prometheus.labelValues(filled);
  expect(values).toContain({ namespace: "shop", workload: "load", service: "shop/web" }[name]);
});

it("counts the same requests at both ends", async () => {
  const ends = async () => {
    const both = await prometheus.query('sum by (direction) (tulle_requests_total{service="shop/payments"})');
    return both.map(({ value }) => value);
  };
  await eventually(async () => new Set(await ends()).size === 1, 10_000);
  const [out, into] = await ends();
  expect(out).toBeGreaterThan(0);
  expect(into).toBe(out);
});

it("has the traces of recorded requests beside their durations", async () => {
  const traceId = randomBytes(16).toString("hex");
  const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
  await shop.ask("load", { url: "http://web/", headers: { traceparent } });
  const traces = async () => {
    const exemplars = await prometheus.exemplars('tulle_request_duration_seconds_bucket{service="shop/web"}');
    return exemplars.map((labels) => labels["trace_id"]);
  };
  await eventually(async () => (await traces()).includes(traceId), 10_000);
  expect(await traces()).toContain(traceId);
});

it("evaluates every rule without an error", async () => {
  const rules = await prometheus.rules();
  expect(rules.length).toBeGreaterThan(10);
  await eventually(async () => (await prometheus.rules()).every(({ health }) => health === "ok"), 40_000);
});

it("has alert rules that pass their tests", () => {
  expect(promtool(["check", "rules", alerts]).status).toBe(0);
  expect(promtool(["test", "rules", "deploy/prometheus/alerts_test.yaml"])).toEqual({
    status: 0,
    said: expect.stringContaining("SUCCESS") as string,
  });
});
