/** Nothing is lost while pods come and go: each scenario runs under load, and the client accounts for every request. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type Account,
  accountOf,
  apply,
  deployment,
  eventually,
  failuresOf,
  image,
  kubectl,
  namespace,
  podSpec,
  readObject,
  rolledOut,
  run,
  service,
} from "./cluster.ts";
import { install } from "./setup.ts";

const shop = "node-lifecycle";
const ratePerSecond = Number(process.env["TULLE_NODE_RATE"] ?? 200);
const leastSeconds = Number(process.env["TULLE_NODE_SECONDS"] ?? 60);

beforeAll(async () => {
  await apply([
    ...namespace(shop, true),
    ...deployment({ namespace: shop, name: "server", program: "server", replicas: 3 }),
    service(shop, "server", { app: "server" }),
  ]);
  await rolledOut(shop, "server");
  const env = { URL: "http://server/", RATE: String(ratePerSecond) };
  await apply(deployment({ namespace: shop, name: "client", program: "client", env }));
  await rolledOut(shop, "client");
  await eventually("answers", async () => ((await accountOf(shop, "client")).sent > 0 ? true : undefined));
});

afterAll(async () => {
  await kubectl("delete", "namespace", shop, "--wait=false");
});

/** What the client has counted meanwhile, over `leastSeconds` at least. */
async function during(act: () => Promise<unknown>): Promise<{ readonly sent: number; readonly failures: object }> {
  const before = await accountOf(shop, "client");
  const wantSent = before.sent + leastSeconds * ratePerSecond * 0.9;
  await act();
  const patienceMs = 2_000 * leastSeconds + 60_000;
  const after = await eventually(
    "enough requests",
    async () => {
      const now = await accountOf(shop, "client");
      return now.sent >= wantSent ? now : undefined;
    },
    patienceMs,
  );
  return { sent: after.sent - before.sent, failures: newFailures(before, after) };
}

function newFailures(before: Account, after: Account): object {
  const counts = Object.entries(failuresOf(after)).map(([outcome, times]) => [
    outcome,
    times - (before.answers[outcome] ?? 0),
  ]);
  const grown = Object.fromEntries(counts.filter(([, times]) => times !== 0)) as Record<string, number>;
  return Object.keys(grown).length === 0 ? {} : { ...grown, last: after.lastFailure };
}

async function restart(namespace: string, name: string): Promise<void> {
  await kubectl("-n", namespace, "rollout", "restart", `deployment/${name}`);
  await rolledOut(namespace, name);
}

it("loses no request while the server is restarted, pod by pod", async () => {
  expect((await during(() => restart(shop, "server"))).failures).toEqual({});
});

it("loses none while the server is scaled from 3 to 1 and back", async () => {
  const scaled = async () => {
    for (const replicas of [1, 3]) {
      await kubectl("-n", shop, "scale", "deployment/server", `--replicas=${replicas}`);
      await rolledOut(shop, "server");
      await sleep(5_000); // load meets the new number, which nothing announces
    }
  };
  expect((await during(scaled)).failures).toEqual({});
});

it("loses none when a pod is evicted", async () => {
  const evict = async () => {
    const { items } = await readObject<{ items: { metadata: { name: string } }[] }>(
      "-n",
      shop,
      "pods",
      "-l",
      "app=server",
    );
    const name = items[0]?.metadata.name ?? "";
    const path = `/api/v1/namespaces/${shop}/pods/${name}/eviction`;
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: shop } };
    await run("kubectl", ["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
    await rolledOut(shop, "server");
  };
  expect((await during(evict)).failures).toEqual({});
});

it("loses none while the control plane is restarted", async () => {
  expect((await during(() => restart("tulle-system", "tulle-control-plane"))).failures).toEqual({});
});

it("loses none during helm upgrade", async () => {
  const upgrade = () => install("--set", "controlPlane.podAnnotations.upgraded=yes");
  expect((await during(upgrade)).failures).toEqual({});
});

it("accounts for every request of a client that is restarted itself", async () => {
  const { items } = await readObject<{ items: { metadata: { name: string } }[] }>(
    "-n",
    shop,
    "pods",
    "-l",
    "app=client",
  );
  const name = items[0]?.metadata.name ?? "";
  const lines = kubectl("-n", shop, "logs", name, "-c", "client", "--follow");
  await restart(shop, "client");
  const account = JSON.parse((await lines).trim().split("\n").at(-1) ?? "") as Account;
  expect(Object.values(account.answers).reduce((sum, times) => sum + times, 0)).toBe(account.sent);
  expect(failuresOf(account)).toEqual({});
});

it("ends a Job within 5 s of its container's end", async () => {
  await apply([
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "once", namespace: shop } },
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "once", namespace: shop },
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            ...podSpec({ namespace: shop, name: "once", program: "client" }),
            restartPolicy: "Never",
            containers: [
              { name: "once", image, args: ["-e", "fetch('http://server/').then((r) => process.exit(r.ok ? 0 : 1))"] },
            ],
          },
        },
      },
    },
  ]);
  await kubectl("-n", shop, "wait", "job/once", "--for=condition=Complete", "--timeout=90s");
  interface Ended {
    readonly items: readonly {
      readonly status: {
        readonly containerStatuses: readonly {
          readonly state: { readonly terminated?: { readonly finishedAt: string } };
        }[];
      };
    }[];
  }
  const job = await readObject<{ status: { completionTime: string } }>("-n", shop, "job", "once");
  const { items } = await readObject<Ended>("-n", shop, "pods", "-l", "job-name=once");
  const endedAt = items[0]?.status.containerStatuses[0]?.state.terminated?.finishedAt ?? "";
  expect(Date.parse(job.status.completionTime) - Date.parse(endedAt)).toBeLessThanOrEqual(5_000);
});
