/** The API server is gone for `API_SERVER_OUTAGE_SECONDS`, and the mesh goes on serving. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nested, TestNamespace } from "../control-plane/objects.ts";
import { Client, Drill, planOutage } from "./drill.ts";

const tulle = "tulle.dev/v1alpha1";
const outage = planOutage("API_SERVER_OUTAGE_SECONDS", 0);
const { outageMs, leafLifetimeMs } = outage;
const patient = { timeout: 30_000 };

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

it("a namespace that is deleted under traffic fails no other, and its callers are told why", {
  timeout: 90_000,
}, async () => {
  const { api } = drill.server;
  const ending = await TestNamespace.create(api, "ending", { "tulle.dev/inject": "enabled" });
  const at = { namespace: ending, workload: "payments", ip: outage.addresses.payments, says: "paid" };
  const payments = await drill.startWorkload(at);
  const spec = { targetRefs: [{ kind: "Service", name: "payments" }], request: "1s" };
  await ending.create(tulle, "timeoutpolicies", {
    apiVersion: tulle,
    kind: "TimeoutPolicy",
    metadata: { name: "t" },
    spec,
  });
  const policies = async () => (await drill.status()).policies.map(({ namespace }) => namespace);
  await expect.poll(policies).toContain(ending.name);
  const url = `http://payments.${ending.name}/`;
  await expect.poll(() => drill.askFor(url)).toBe("200 paid");

  const logged = drill.controlPlane.lines.length;
  const [elsewhere, here] = [new Client(() => drill.ask()), new Client(() => drill.askFor(url))];
  drill.server.runControllers("namespace-controller");
  await ending.remove();
  const pod = async () => (await ending.read("v1", "pods/payments-1")).body;
  await expect.poll(async () => nested(await pod(), "metadata", "deletionTimestamp"), patient).toBeDefined();
  await payments.end();
  const path = `/api/v1/namespaces/${ending.name}`;
  await expect.poll(async () => (await api.request({ path })).status, patient).toBe(404);

  // A sidecar believes that a Service is gone once it has known its control plane for a while.
  await expect.poll(() => drill.askFor(url)).toMatch(/^(503 no_endpoints|502 destination_unknown)$/);
  await expect.poll(policies).not.toContain(ending.name);
  expect(await policies()).toContain(drill.shop.name);
  expect(await elsewhere.stop()).toEqual(["200 ordered"]);
  // By what goes first: the pod's sidecar, the word that it is gone, or the Service.
  const reasons = ["503 mesh_port_unreachable", "503 no_endpoints", "502 destination_unknown"];
  const answers = await here.stop();
  expect(answers).toContain("200 paid");
  expect(answers.filter((answer) => answer !== "200 paid" && !reasons.includes(answer))).toEqual([]);
  // A policy may be told that its Service is gone before it is gone itself, and a watch may end with the API server of the drill before.
  const lines = [...drill.controlPlane.lines.slice(logged), ...payments.sidecar.lines];
  expect(lines.filter(({ level, message }) => level === "error" && message !== "problem found")).toEqual([]);
});
