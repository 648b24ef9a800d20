import { expect, it } from "vitest";
import { defaultRetryPolicy } from "../../../model/defaults.ts";
import { exposeGauges } from "../../../sidecar/telemetry/gauges.ts";
import { MetricRegistry } from "../../../sidecar/telemetry/registry.ts";
import { eventually } from "../../support/eventually.ts";
import { parseExposition } from "../../support/exposition.ts";
import { askThrough, meshed, TestMesh, type TestSidecar } from "../../support/sidecar-pair.ts";

function gaugesOf({ sidecar, identity }: TestSidecar) {
  const registry = new MetricRegistry({ labels: {} });
  const appliedAtMs = new Map([["inbound", 1_234_500] as const]);
  exposeGauges(registry, { state: sidecar.state, identity, controlStreamConnected: () => true, appliedAtMs });
  return async (name: string) => parseExposition((await registry.expose()).text).get(name) ?? [];
}

it("shows what is left of a Service's retry budget, and nothing for a Service that is gone", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const orders = await mesh.sidecar("orders");
  await mesh.application(orders.podIp, (_request, response) => response.writeHead(503).end());
  const budget = { percent: 0, windowMs: 600_000, minRetriesPerSecond: 0.01 };
  const retry = { ...defaultRetryPolicy, maxAttempts: 5, initialDelayMs: 1, budget };
  mesh.service("orders", [meshed(orders.podIp, "orders")], { retry });
  const gauge = gaugesOf(web);
  const left = () => gauge("tulle_retry_budget_remaining");

  await askThrough(web.podIp, "http://orders/");
  expect(await left()).toEqual([{ labels: { service: "shop/orders" }, value: 2 }]);
  await askThrough(web.podIp, "http://orders/");
  expect(await left()).toEqual([{ labels: { service: "shop/orders" }, value: 0 }]);
  expect(await gauge("tulle_retry_budget_allowed")).toEqual([{ labels: { service: "shop/orders" }, value: 6 }]);

  const { retryBudgets } = web.sidecar.state();
  const name = "orders.shop.svc.cluster.local:80";
  expect([...retryBudgets.ofDestination(name)]).toHaveLength(1);
  mesh.resources.remove("destination", name);
  expect(await left()).toEqual([]);
  await eventually(() => [...retryBudgets.ofDestination(name)].length === 0);
});

it("shows which policy the sidecar applies, and since when", async () => {
  await using mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  const gauge = gaugesOf(web);
  const version = async () => (await gauge("tulle_inbound_policy_info")).map(({ labels }) => labels["version"]);
  const before = await version();
  mesh.resources.set({ kind: "inbound", value: { name: "shop/web", ports: [] } });
  expect([before, await version()]).toEqual([["v1"], ["v2"]]);
  expect(await gauge("tulle_policy_applied_timestamp_seconds")).toEqual([
    { labels: { kind: "inbound" }, value: 1_234.5 },
  ]);
});
