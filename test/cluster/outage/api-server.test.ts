/** The API server goes, for `API_SERVER_OUTAGE_SECONDS`, and the mesh serves on. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestNamespace } from "../control-plane/objects.ts";
import { Client, Drill, planOutage } from "./drill.ts";

const tulle = "tulle.dev/v1alpha1";
const outage = planOutage("API_SERVER_OUTAGE_SECONDS", 0);
const { outageMs, leafLifetimeMs } = outage;

let drill: Drill;
beforeAll(async () => {
  drill = await Drill.start(outage);
}, 180_000);
afterAll(() => drill[Symbol.asyncDispose]());

it("no request fails without the API server, and what came due meanwhile is renewed once it is back, before it ends", {
  timeout: leafLifetimeMs + 120_000,
}, async () => {
  const client = new Client(() => drill.ask());
  await drill.wait();
  expect(drill.issued).toBe(2);
  await drill.server.kill();
  await sleep(outageMs);
  // Nobody can say whether a token is good.
  expect(drill.issued).toBe(2);
  expect(drill.controlPlane.said("can't be followed")).not.toEqual([]);
  await drill.server.restart();
  await expect.poll(() => drill.issued, { timeout: 60_000 }).toBe(4);
  // Over the end of the first certificates: they are not in use any more.
  await sleep(leafLifetimeMs - outageMs - outage.waitMs);
  expect(await client.stop()).toEqual(["200 ordered"]);
  expect(client.answers.get("200 ordered")).toBeGreaterThan(outageMs / 100);
});

it("the API server is followed again: a policy is in force", { timeout: 60_000 }, async () => {
  await drill.shop.create(tulle, "accesspolicies", {
    apiVersion: tulle,
    kind: "AccessPolicy",
    metadata: { name: "nobody" },
    spec: {
      action: "deny",
      targetRefs: [{ kind: "Service", name: "orders" }],
      rules: [{ paths: [{ type: "Exact", value: "/closed" }] }],
    },
  });
  await expect.poll(async () => (await drill.ask("/closed")).slice(0, 3)).toBe("403");
});

it("a namespace that is deleted under traffic takes nothing else with it", { timeout: 60_000 }, async () => {
  const { api } = drill.server;
  const ending = await TestNamespace.create(api, "ending", { "tulle.dev/inject": "enabled" });
  await ending.service("orders");
  await ending.pod("orders-1", "orders", { ip: "10.7.0.1" });
  const spec = { targetRefs: [{ kind: "Service", name: "orders" }], request: "1s" };
  await ending.create(tulle, "timeoutpolicies", {
    apiVersion: tulle,
    kind: "TimeoutPolicy",
    metadata: { name: "t" },
    spec,
  });
  const policies = async () => (await drill.status()).policies.map(({ namespace }) => namespace);
  await expect.poll(policies).toContain(ending.name);
  const client = new Client(() => drill.ask());
  // No controller runs here: this is what that of namespaces does.
  await ending.delete(tulle, "timeoutpolicies/t");
  await ending.delete("v1", "services/orders");
  await ending.delete("v1", "pods/orders-1");
  await ending.remove();
  await expect.poll(policies).not.toContain(ending.name);
  expect(await policies()).toContain(drill.shop.name);
  expect(await client.stop()).toEqual(["200 ordered"]);
});
