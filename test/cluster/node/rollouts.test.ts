/**
 * Nothing is lost while pods come and go: each drill has its own clients and servers, so that drills can run side by side, and
 * each client accounts for every request.
 */

import { afterAll, beforeAll, it } from "vitest";
import {
  apply,
  eventually,
  failuresOf,
  kubectl,
  namespace,
  type PodList,
  readObject,
  rolledOut,
  run,
} from "./cluster.ts";
import {
  Drill,
  drillClients,
  drillServer,
  drillService,
  endedOrderly,
  FollowedClient,
  ledger,
  minSentInMesh,
  miscounted,
} from "./drill.ts";

const shop = "node-rollouts";
const names = ["restarted", "scaled", "evicted", "called", "colored"] as const;
const drills = new Map<string, Drill>();
/** The application's own; kubelet would wait for as long as the grace period. */
const [ownPauseSeconds, graceSeconds] = [10, 60];

beforeAll(async () => {
  const server = (name: string, replicas: number, more = {}) => drillServer(shop, name, { replicas, ...more });
  const pausing = {
    container: { lifecycle: { preStop: { sleep: { seconds: ownPauseSeconds } } } },
    pod: { terminationGracePeriodSeconds: graceSeconds },
  };
  await apply([
    ...namespace(shop, true),
    ...names.map((name) => drillService(shop, name, { app: name === "colored" ? "blue" : name })),
    ...ledger(shop),
    ...server("restarted", 2),
    ...server("scaled", 3),
    ...server("evicted", 2, pausing),
    ...server("called", 1),
    ...server("blue", 1),
    ...server("green", 1, { env: { VERSION: "v2" } }),
  ]);
  await rolledOut(shop, "ledger", "restarted", "scaled", "evicted", "called", "blue", "green");
  await apply(names.flatMap((name) => drillClients(shop, name)));
  await rolledOut(shop, ...names.flatMap((name) => [`${name}-client`, `${name}-outsider`]));
  for (const name of names) drills.set(name, await Drill.of(shop, name));
});

afterAll(async () => {
  for (const drill of drills.values()) drill[Symbol.dispose]();
  await kubectl("delete", "namespace", shop, "--wait=false");
});

function drillOf(name: (typeof names)[number]): Drill {
  const drill = drills.get(name);
  if (drill === undefined) throw new Error(`${name} has no drill`);
  return drill;
}

async function podsOf(app: string): Promise<readonly string[]> {
  const { items } = await readObject<PodList>("-n", shop, "pods", "-l", `app=${app}`);
  return items.map(({ metadata }) => metadata.name);
}

async function restart(name: string): Promise<void> {
  await kubectl("-n", shop, "rollout", "restart", `deployment/${name}`);
  await rolledOut(shop, name);
}

it.concurrent("loses no request while the server is restarted, pod by pod", async ({ expect }) => {
  const before = await podsOf("restarted");
  expect(await drillOf("restarted").failuresDuring(() => restart("restarted"))).toEqual({});
  // Their last call out, when nothing came in any more.
  await eventually("the last words of those that ended", async () => {
    const ended = await endedOrderly(shop);
    return before.every((name) => ended.includes(name)) ? true : undefined;
  });
});

it.concurrent("loses none while the server is scaled from 3 to 1 and back", async ({ expect }) => {
  const drill = drillOf("scaled");
  const scale = async () => {
    for (const replicas of [1, 3]) {
      await kubectl("-n", shop, "scale", "deployment/scaled", `--replicas=${replicas}`);
      await rolledOut(shop, "scaled");
      await drill.sends(10); // to that many, the pods that end included
    }
  };
  expect(await drill.failuresDuring(scale)).toEqual({});
});

it.concurrent("loses none when a pod is evicted, as a node's drain does it, and honours its own pause", async ({
  expect,
}) => {
  let tookMs = 0;
  const evict = async () => {
    const [name = ""] = await podsOf("evicted");
    const path = `/api/v1/namespaces/${shop}/pods/${name}/eviction`;
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: shop } };
    const startMs = performance.now();
    await run("kubectl", ["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
    await kubectl("-n", shop, "wait", `pod/${name}`, "--for=delete", `--timeout=${graceSeconds}s`);
    tookMs = performance.now() - startMs;
    await rolledOut(shop, "evicted");
  };
  expect(await drillOf("evicted").failuresDuring(evict)).toEqual({});
  expect(tookMs).toBeGreaterThan(ownPauseSeconds * 1_000);
  expect(tookMs).toBeLessThan((graceSeconds * 1_000) / 2);
});

it.concurrent("loses none when a Service flips from blue to green, and blue ends at once", async ({ expect }) => {
  const drill = drillOf("colored");
  const flip = async () => {
    await kubectl("-n", shop, "patch", "service", "colored", "-p", '{"spec": {"selector": {"app": "green"}}}');
    await kubectl("-n", shop, "scale", "deployment/blue", "--replicas=0");
    await drill.client.until("an answer of green", ({ answers }) => answers["200 v2"] !== undefined);
    await kubectl("-n", shop, "wait", "pod", "-l", "app=blue", "--for=delete", "--timeout=60s");
  };
  expect(await drill.failuresDuring(flip)).toEqual({});
  const blueAnswers = () => [drill.client, drill.outsider].map(({ account }) => account.answers["200 v1"]);
  const before = blueAnswers();
  await drill.sends(1);
  expect(blueAnswers()).toEqual(before);
});

it.concurrent("accounts for every request of a client that is restarted itself, and loses none", async ({ expect }) => {
  const drill = drillOf("called");
  const { ended } = drill.client;
  const [old] = await podsOf("called-client");
  await restart("called-client");
  await ended;
  const heirs = await podsOf("called-client");
  using heir = new FollowedClient(shop, heirs.find((name) => name !== old) ?? "");
  const first = drill.client.account;
  await heir.until("a minute's requests", ({ sent }) => sent + first.sent >= minSentInMesh);
  const last = await heir.settled();
  expect(first.underWay).toBe(0);
  for (const account of [first, last])
    expect({ ...failuresOf(account), ...(await miscounted(shop, account)) }).toEqual({});
});
