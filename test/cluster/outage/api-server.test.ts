/** The API server goes, for `API_SERVER_OUTAGE_SECONDS`, and the mesh serves on. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Client, Drill, planOutage } from "./drill.ts";

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
  await drill.shop.create("tulle.dev/v1alpha1", "accesspolicies", {
    apiVersion: "tulle.dev/v1alpha1",
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
