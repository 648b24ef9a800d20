/** A canary: two versions behind one Service, and weights that move. */

import { afterAll, beforeAll, expect, it } from "vitest";
import {
  accountOf,
  apply,
  deployment,
  eventually,
  failuresOf,
  kubectl,
  namespace,
  rolledOut,
  service,
} from "./cluster.ts";

const shop = "node-canary";
const withinMs = 1_000;

beforeAll(async () => {
  const version = (name: string, text: string) => [
    ...deployment({ namespace: shop, name, program: "server", labels: { tier: "server" }, env: { VERSION: text } }),
    service(shop, name, { app: name }),
  ];
  await apply([
    ...namespace(shop, true),
    ...version("server-v1", "v1"),
    ...version("server-v2", "v2"),
    service(shop, "server", { tier: "server" }),
    {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "TrafficSplit",
      metadata: { name: "server", namespace: shop },
      spec: {
        service: "server",
        backends: [
          { service: "server-v1", weight: 100 },
          { service: "server-v2", weight: 0 },
        ],
      },
    },
  ]);
  await rolledOut(shop, "server-v1", "server-v2");
  await apply(
    deployment({ namespace: shop, name: "client", program: "client", env: { URL: "http://server/", RATE: "100" } }),
  );
  await rolledOut(shop, "client");
});

afterAll(async () => {
  await kubectl("delete", "namespace", shop, "--wait=false");
});

it(`sends the first request to the new version within ${withinMs} ms of kubectl patch, and none before`, async () => {
  await eventually("300 requests", async () => ((await accountOf(shop, "client")).sent > 300 ? true : undefined));
  expect(Object.keys((await accountOf(shop, "client")).answers)).toEqual(["200 v1"]);
  const backends = [
    { service: "server-v1", weight: 50 },
    { service: "server-v2", weight: 50 },
  ];
  await kubectl(
    "-n",
    shop,
    "patch",
    "trafficsplit",
    "server",
    "--type=merge",
    "-p",
    JSON.stringify({ spec: { backends } }),
  );
  const patchedAtMs = Date.now();
  const account = await eventually("an answer of v2", async () => {
    const now = await accountOf(shop, "client");
    return (now.answers["200 v2"] ?? 0) > 100 ? now : undefined;
  });
  const seenAfterMs = (account.firstSeen["200 v2"] ?? Number.POSITIVE_INFINITY) - patchedAtMs;
  expect(seenAfterMs).toBeLessThan(withinMs);
  expect(failuresOf(account)).toEqual({});
});
