/**
 * A namespace is deleted while its Service is called: its callers learn why, nobody else loses a request, and nothing crashes.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import { apply, deployment, failuresOf, kubectl, namespace, podOf, rolledOut, service, sidecarOf } from "./cluster.ts";
import { FollowedClient } from "./drill.ts";

const shop = "node-bereaved";
const ending = "node-ending";
/** By what goes first: the application, its pod, the word that it is gone, or the Service. */
const reasons = [
  "GET 503 refused_stream",
  "GET 503 mesh_port_unreachable",
  "GET 503 no_endpoints",
  "GET 503 connect_failed",
  "GET 504 connect_timeout",
];
/** An address and a name that nobody has any more lead nowhere, with a mesh as without one. */
const nowhere = ["GET timeout", "GET ENOTFOUND", "GET EAI_AGAIN"];
const idOf = (client: string) => `spiffe://cluster.local/ns/${shop}/sa/${client}`;
const clients = ["of-stock", "of-catalog"] as const;

beforeAll(async () => {
  await apply([
    ...namespace(ending, true),
    ...deployment({ namespace: ending, name: "stock", program: "server" }),
    service(ending, "stock", { app: "stock" }),
    ...namespace(shop, true),
    ...deployment({ namespace: shop, name: "catalog", program: "server" }),
    service(shop, "catalog", { app: "catalog" }),
  ]);
  await rolledOut(ending, "stock");
  await rolledOut(shop, "catalog");
  const urls = { "of-stock": `http://stock.${ending}/who`, "of-catalog": "http://catalog/who" };
  const client = (name: keyof typeof urls) =>
    deployment({ namespace: shop, name, program: "client", env: { URL: urls[name], RATE: "20" } });
  await apply(clients.flatMap(client));
  await rolledOut(shop, ...clients);
});

afterAll(async () => {
  for (const name of [shop, ending]) await kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found");
});

it("tells its callers why, and fails no other call", async () => {
  using ofStock = new FollowedClient(shop, "deployment/of-stock");
  using ofCatalog = new FollowedClient(shop, "deployment/of-catalog");
  // As itself: both ends have a sidecar.
  await ofStock.until("answers", ({ answers }) => (answers[`200 ${idOf("of-stock")}`] ?? 0) > 20);
  await ofCatalog.until("answers", ({ answers }) => (answers[`200 ${idOf("of-catalog")}`] ?? 0) > 20);
  await kubectl("delete", "namespace", ending, "--timeout=120s");
  const { sent } = ofCatalog.account;
  await ofStock.until("an end", (account) => Object.keys(failuresOf(account)).length > 0);
  await ofCatalog.until("more answers", ({ settledTo }) => settledTo > sent + 40);
  expect(failuresOf(await ofCatalog.settled())).toEqual({});
  const told = Object.keys(failuresOf(await ofStock.settled()));
  expect(told.filter((reason) => !reasons.includes(reason) && !nowhere.includes(reason))).toEqual([]);
  for (const name of clients) expect(sidecarOf(await podOf(shop, `app=${name}`))?.restartCount).toBe(0);
  const { status } = await podOf("tulle-system", "app.kubernetes.io/component=control-plane");
  expect(status.containerStatuses?.map(({ restartCount }) => restartCount)).toEqual([0]);
});
