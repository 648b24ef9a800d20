/** The control plane is gone for `CONTROL_PLANE_OUTAGE_SECONDS`, and the mesh goes on serving. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Client, Drill, planOutage } from "./drill.ts";

const outage = planOutage("CONTROL_PLANE_OUTAGE_SECONDS", 1);
const { outageMs, leafLifetimeMs } = outage;

let drill: Drill;
beforeAll(async () => {
  drill = await Drill.start(outage);
}, 180_000);
afterAll(() => drill[Symbol.asyncDispose]());

it("no request fails without the control plane, and what came due meanwhile is renewed once it is back, before it ends", {
  timeout: leafLifetimeMs + 120_000,
}, async () => {
  const client = new Client(() => drill.ask());
  await drill.wait();
  expect(drill.issued).toBe(2);
  await drill.killControlPlane();
  await sleep(outageMs);
  drill.restartControlPlane();
  await expect.poll(() => drill.controlPlane.said("sidecar connected").length, { timeout: 60_000 }).toBeGreaterThan(1);
  await expect.poll(() => drill.issued, { timeout: 60_000 }).toBe(2);
  // Over the end of the first certificates: they are not in use any more.
  await sleep(leafLifetimeMs - outageMs - outage.waitMs);
  expect(await client.stop()).toEqual(["200 ordered"]);
  expect(client.answers.get("200 ordered")).toBeGreaterThan(outageMs / 100);
});
