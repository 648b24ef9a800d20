/**
 * The chart from end to end, as Helm sees it: installed into a restricted namespace, tested, upgraded, rolled back, kept while
 * it is needed, removed without a trace. At the end there is no mesh, which the next test, docs/getting-started.md, requires.
 */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type Account,
  accountOf,
  apply,
  deployment,
  eventually,
  failuresOf,
  helm,
  image,
  type KubernetesObject,
  kubectl,
  namespace,
  readObject,
  rolledOut,
  service,
} from "./cluster.ts";

const shop = "node-install";
const mesh = "tulle-system";
const chart = join(import.meta.dirname, "../../../charts/tulle");
const firstRequestWithinMs = 60_000;
const jobEndsWithinMs = 5_000;
const who = `spiffe://cluster.local/ns/${shop}/sa/client`;

interface List {
  readonly items: readonly KubernetesObject[];
}

const inMesh = (...args: readonly string[]) => helm("--namespace", mesh, ...args);

/** `kind/name` of all that carries the mesh's label or a name of its own, wherever it is. */
async function leftovers(): Promise<readonly string[]> {
  const kinds = (await kubectl("api-resources", "--verbs=list,delete", "-o", "name")).trim().split("\n");
  const asked = kinds.filter((kind) => !/^(events|componentstatuses|endpoints)\b/.test(kind));
  const everything = await readObject<List>(asked.join(","), "-A");
  return everything.items
    .filter(({ metadata }) => {
      const labels = (metadata["labels"] ?? {}) as Readonly<Record<string, string>>;
      return labels["app.kubernetes.io/part-of"] === "tulle" || metadata.name.startsWith("tulle-");
    })
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    .filter((name) => !["Namespace tulle-system", "Node tulle-test-node"].includes(name))
    .sort();
}

async function meshedPods(): Promise<number> {
  const { items } = await readObject<List>("pods", "-A");
  const stamp = "tulle.dev/proxy-version";
  return items.filter(({ metadata }) => Object.hasOwn(metadata["annotations"] ?? {}, stamp)).length;
}

beforeAll(async () => {
  await eventually("the pods of other scenarios end", async () => ((await meshedPods()) === 0 ? true : undefined));
});

afterAll(() => kubectl("delete", "namespace", shop, "--ignore-not-found", "--wait=false"));

it("leaves nothing but the definitions when it is uninstalled", async () => {
  await inMesh("uninstall", "tulle", "--wait");
  expect((await leftovers()).filter((name) => !name.startsWith("CustomResourceDefinition "))).toEqual([]);
});

it(`has the first request over mutual TLS ${firstRequestWithinMs} ms after helm install, in a namespace that allows no rights`, async () => {
  await kubectl("label", "namespace", mesh, "pod-security.kubernetes.io/enforce=restricted", "--overwrite");
  const startMs = performance.now();
  const notes = await inMesh("install", "tulle", chart, "--wait", "--timeout", "60s");
  expect(notes).toContain("kubectl label namespace NAMESPACE tulle.dev/inject=enabled");
  expect(notes).not.toContain("definitions are missing");
  const client = { program: "client", name: "client", env: { URL: "http://server/who", RATE: "50" } } as const;
  await apply([
    ...namespace(shop, true),
    ...deployment({ namespace: shop, name: "server", program: "server" }),
    service(shop, "server", { app: "server" }),
    ...deployment({ ...client, namespace: shop }),
  ]);
  const first = await eventually("an answer to the client as itself", async () => {
    const { answers } = await accountOf(shop, "client");
    return answers[`200 ${who}`] === undefined ? undefined : answers;
  });
  expect(performance.now() - startMs).toBeLessThan(firstRequestWithinMs);
  expect(Object.keys(first)).not.toContain("200 nobody");
});

it("passes its own test", async () => {
  expect(await inMesh("test", "tulle")).toMatch(/Phase:\s+Succeeded/);
});

it(`completes a Job within ${jobEndsWithinMs} ms of its container's end, if kubelet does not look right before that`, async () => {
  // With any native sidecar it takes four seconds, and what is left of the second until kubelet looks next: so the quickest.
  const names = ["one", "two", "three"];
  await apply(names.map(job));
  const tookMs = await Promise.all(names.map(completionMs));
  expect(Math.min(...tookMs)).toBeLessThanOrEqual(jobEndsWithinMs);
});

it("is upgraded and rolled back without a failed request", async () => {
  const settings = () => kubectl("-n", mesh, "get", "configmap", "tulle-injection", "-o", "jsonpath={.data}");
  const before = await settings();
  await rolledOut(shop, "server");
  const failed = failuresOf(await accountOf(shop, "client"));
  await inMesh("upgrade", "tulle", chart, "--set", "injection.defaults.drainSeconds=11", "--wait", "--timeout", "60s");
  expect(await settings()).toMatch(/drainSeconds\W+11\b/);
  await inMesh("rollback", "tulle", "--wait", "--timeout", "60s");
  expect(await settings()).toBe(before);
  expect(failuresOf(await aSecondLater())).toEqual(failed);
});

it("is not uninstalled while pods have a sidecar: Helm's user is told which, and the mesh goes on", async () => {
  // Not what has ended: the Job.
  const { items } = await readObject<List>("-n", shop, "pods", "-l", "app");
  const refusal = await inMesh("uninstall", "tulle").then(
    () => "",
    (error: unknown) => String(error),
  );
  for (const { metadata } of items) expect(refusal).toContain(`${shop}/${metadata.name}`);
  await rolledOut(mesh, "tulle-control-plane");
});

it("is uninstalled all the same by force: pods serve on by themselves", async () => {
  const failed = failuresOf(await accountOf(shop, "client"));
  const history = JSON.parse(await inMesh("history", "tulle", "-o", "json")) as readonly { revision: number }[];
  // Helm takes a release whose uninstallation was refused for half gone, until it is rolled back to itself.
  await inMesh("rollback", "tulle", String(history.at(-1)?.revision));
  await inMesh("upgrade", "tulle", chart, "--reset-then-reuse-values", "--set", "uninstall.force=true");
  await inMesh("uninstall", "tulle", "--wait");
  expect((await leftovers()).filter((name) => !name.startsWith("CustomResourceDefinition "))).toEqual([]);
  expect(failuresOf(await aSecondLater())).toEqual(failed);
});

/** The client's account, fifty requests on. */
async function aSecondLater(): Promise<Account> {
  const { sent } = await accountOf(shop, "client");
  return await eventually("a second of requests", async () => {
    const now = await accountOf(shop, "client");
    return now.sent > sent + 50 ? now : undefined;
  });
}

/** It ends after a second, and prints when. */
function job(name: string): KubernetesObject {
  const ends = "setTimeout(() => console.log(Date.now()), 1000)";
  const spec = { restartPolicy: "Never", containers: [{ name: "job", image, args: ["-e", ends] }] };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: shop },
    spec: { backoffLimit: 0, template: { spec } },
  };
}

/** From the end of its container to its own. */
async function completionMs(name: string): Promise<number> {
  await kubectl("-n", shop, "wait", `job/${name}`, "--for=condition=Complete", "--timeout=90s");
  const completedAtMs = Date.now();
  return completedAtMs - Number(await kubectl("-n", shop, "logs", `job/${name}`, "-c", "job"));
}
