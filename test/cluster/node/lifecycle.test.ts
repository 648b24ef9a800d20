/** Nothing is lost while pods come and go: each scenario runs under load, and the client accounts for every request. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type Account,
  accountOf,
  apply,
  ask,
  deployment,
  eventually,
  failuresOf,
  image,
  kubectl,
  namespace,
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
    const { name } = (await podOf("app=server")).metadata;
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
  const { name } = (await podOf("app=client")).metadata;
  const lines = kubectl("-n", shop, "logs", name, "-c", "client", "--follow");
  await restart(shop, "client");
  const account = JSON.parse((await lines).trim().split("\n").at(-1) ?? "") as Account;
  expect(Object.values(account.answers).reduce((sum, times) => sum + times, 0)).toBe(account.sent);
  expect(failuresOf(account)).toEqual({});
});

it("ends with a Job's container, and lets the Job complete", async () => {
  const once = ["-e", "fetch('http://server/').then((r) => process.exit(r.ok ? 0 : 1))"];
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
            serviceAccountName: "once",
            restartPolicy: "Never",
            containers: [{ name: "once", image, args: once }],
          },
        },
      },
    },
  ]);
  await kubectl("-n", shop, "wait", "job/once", "--for=condition=Complete", "--timeout=90s");
  const { status } = await podOf("job-name=once");
  const ended = (found: readonly Status[] = [], name: string) =>
    Date.parse(found.find((one) => one.name === name)?.state.terminated?.finishedAt ?? "");
  const tookMs = ended(status.initContainerStatuses, "tulle-sidecar") - ended(status.containerStatuses, "once");
  expect(tookMs).toBeLessThanOrEqual(5_000);
});

it("serves again when its sidecar has crashed, from what that had kept, while the control plane is away", async () => {
  await kubectl("-n", "tulle-system", "scale", "deployment/tulle-control-plane", "--replicas=0");
  try {
    await kubectl("-n", "tulle-system", "wait", "pod", "--all", "--for=delete", "--timeout=60s");
    const before = await podOf("app=server");
    const id = sidecarOf(before)?.containerID.replace("containerd://", "") ?? "";
    await run("bash", ["-c", 'ctr -a "$CLUSTER_RUN/containerd.sock" -n k8s.io task kill -s KILL "$0"', id]);
    const name = before.metadata.name;
    await eventually("a sidecar that was started again", async () => {
      const sidecar = sidecarOf(await readObject<Pod>("-n", shop, "pod", name));
      return sidecar?.restartCount === 1 && sidecar.ready ? true : undefined;
    });
    const said = await kubectl("-n", shop, "logs", name, "-c", "tulle-sidecar");
    expect(said).toContain("certificate taken from before the restart");
    expect(said).toContain("sidecar is up");
    expect(await ask(shop, "client", `http://${before.status.podIP}:8080/`)).toBe("200 v1");
  } finally {
    await kubectl("-n", "tulle-system", "scale", "deployment/tulle-control-plane", "--replicas=1");
    await rolledOut("tulle-system", "tulle-control-plane");
  }
});

interface Status {
  readonly name: string;
  readonly containerID: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: { readonly terminated?: { readonly finishedAt: string } };
}

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP: string;
    readonly containerStatuses?: readonly Status[];
    readonly initContainerStatuses?: readonly Status[];
  };
}

async function podOf(selector: string): Promise<Pod> {
  const { items } = await readObject<{ readonly items: readonly Pod[] }>("-n", shop, "pods", "-l", selector);
  const [pod] = items;
  if (pod === undefined) throw new Error(`no pod with ${selector}`);
  return pod;
}

function sidecarOf({ status }: Pod): Status | undefined {
  return status.initContainerStatuses?.find(({ name }) => name === "tulle-sidecar");
}
