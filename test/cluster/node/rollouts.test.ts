/**
 * Nothing is lost while pods come and go: each drill has a client and a server of its own, so that they can go on side by
 * side, and each client accounts for every request.
 */

import { afterAll, beforeAll, it } from "vitest";
import {
  apply,
  deployment,
  failuresOf,
  kubectl,
  namespace,
  type PodList,
  readObject,
  rolledOut,
  run,
  service,
} from "./cluster.ts";
import { drillClient, FollowedClient, leastSent, ratePerSecond } from "./drill.ts";

const shop = "node-rollouts";
const drills = ["restarted", "scaled", "evicted", "called", "colored"] as const;
type Drill = (typeof drills)[number];
const clients = new Map<string, FollowedClient>();

beforeAll(async () => {
  const server = (name: string, replicas: number, version = "v1") =>
    deployment({ namespace: shop, name, program: "server", replicas, env: { VERSION: version } });
  await apply([
    ...namespace(shop, true),
    ...drills.map((name) => service(shop, name, { app: name === "colored" ? "blue" : name })),
    ...server("restarted", 2),
    ...server("scaled", 3),
    ...server("evicted", 2),
    ...server("called", 1),
    ...server("blue", 1),
    ...server("green", 1, "v2"),
  ]);
  await rolledOut(shop, "restarted", "scaled", "evicted", "called", "blue", "green");
  const names = drills.map((name) => `${name}-client`);
  await apply(drills.flatMap((name) => drillClient(shop, `${name}-client`, `http://${name}/`)));
  await rolledOut(shop, ...names);
  for (const name of drills) clients.set(name, new FollowedClient(shop, `deployment/${name}-client`));
  for (const name of drills) await clientOf(name).until("answers", ({ sent }) => sent > 0);
});

afterAll(async () => {
  for (const client of clients.values()) client[Symbol.dispose]();
  await kubectl("delete", "namespace", shop, "--wait=false");
});

function clientOf(name: Drill): FollowedClient {
  const client = clients.get(name);
  if (client === undefined) throw new Error(`${name} has no client`);
  return client;
}

async function restart(name: string): Promise<void> {
  await kubectl("-n", shop, "rollout", "restart", `deployment/${name}`);
  await rolledOut(shop, name);
}

it.concurrent("loses no request while the server is restarted, pod by pod", async ({ expect }) => {
  expect(await clientOf("restarted").failuresDuring(() => restart("restarted"))).toEqual({});
});

it.concurrent("loses none while the server is scaled from 3 to 1 and back", async ({ expect }) => {
  const client = clientOf("scaled");
  const scale = async () => {
    for (const replicas of [1, 3]) {
      await kubectl("-n", shop, "scale", "deployment/scaled", `--replicas=${replicas}`);
      await rolledOut(shop, "scaled");
      await client.sendsMore(10 * ratePerSecond); // to that many, the pods that end included
    }
  };
  expect(await client.failuresDuring(scale)).toEqual({});
});

it.concurrent("loses none when a pod is evicted, as a node's drain does it", async ({ expect }) => {
  const evict = async () => {
    const { items } = await readObject<PodList>("-n", shop, "pods", "-l", "app=evicted");
    const name = items[0]?.metadata.name ?? "";
    const path = `/api/v1/namespaces/${shop}/pods/${name}/eviction`;
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: shop } };
    await run("kubectl", ["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
    await kubectl("-n", shop, "wait", `pod/${name}`, "--for=delete", "--timeout=60s");
    await rolledOut(shop, "evicted");
  };
  expect(await clientOf("evicted").failuresDuring(evict)).toEqual({});
});

it.concurrent("loses none when a Service flips from blue to green, and blue ends at once", async ({ expect }) => {
  const client = clientOf("colored");
  const flip = async () => {
    await kubectl("-n", shop, "patch", "service", "colored", "-p", '{"spec": {"selector": {"app": "green"}}}');
    await kubectl("-n", shop, "scale", "deployment/blue", "--replicas=0");
    await client.until("an answer of green", ({ answers }) => answers["200 v2"] !== undefined);
    await kubectl("-n", shop, "wait", "pod", "-l", "app=blue", "--for=delete", "--timeout=60s");
  };
  expect(await client.failuresDuring(flip)).toEqual({});
  const { answers } = client.account;
  const after = await client.sendsMore(ratePerSecond);
  expect(after.answers["200 v1"]).toBe(answers["200 v1"]);
});

it.concurrent("accounts for every request of a client that is restarted itself, and loses none", async ({ expect }) => {
  const old = clientOf("called");
  const { items } = await readObject<PodList>("-n", shop, "pods", "-l", "app=called-client");
  await restart("called-client");
  await old.ended;
  const pods = await readObject<PodList>("-n", shop, "pods", "-l", "app=called-client");
  const next = pods.items.find(({ metadata }) => metadata.name !== items[0]?.metadata.name);
  using heir = new FollowedClient(shop, next?.metadata.name ?? "");
  const now = await heir.until("enough requests", ({ sent }) => sent + old.account.sent >= leastSent);
  const { answers, sent } = old.account;
  expect(Object.values(answers).reduce((sum, times) => sum + times, 0)).toBe(sent);
  expect([failuresOf(old.account), failuresOf(now)]).toEqual([{}, {}]);
});
