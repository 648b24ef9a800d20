/** Workloads other than Deployments: StatefulSets, Jobs, and one that shares a Deployment's name. */

import { afterAll, beforeAll, expect, it } from "vitest";
import {
  apply,
  ask,
  deployment,
  image,
  type KubernetesObject,
  kubectl,
  namespace,
  podOf,
  podSpec,
  rolledOut,
  service,
} from "./cluster.ts";

const shop = "node-workloads";
const who = `spiffe://cluster.local/ns/${shop}/sa/client`;
const jobEndsWithinMs = 5_000;

beforeAll(async () => {
  const headless = service(shop, "store", { app: "store" });
  const env = [{ name: "VERSION", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }];
  const store = { namespace: shop, name: "store", program: "server", container: { env } } as const;
  const front = deployment({ namespace: shop, name: "front", program: "server" });
  await apply([
    ...namespace(shop, true),
    ...front.map((object) => (object.kind === "Deployment" ? named(object, "store") : object)),
    service(shop, "front", { app: "front" }),
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "store", namespace: shop } },
    { ...headless, spec: { ...(headless["spec"] as object), clusterIP: "None" } },
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "store", namespace: shop },
      spec: {
        replicas: 2,
        serviceName: "store",
        podManagementPolicy: "Parallel",
        selector: { matchLabels: { app: "store" } },
        template: { metadata: { labels: { app: "store" } }, spec: podSpec(store) },
      },
    },
    ...deployment({
      namespace: shop,
      name: "client",
      program: "client",
      env: { URL: "http://store:8080/", RATE: "1" },
    }),
  ]);
  await rolledOut(shop, "statefulset/store", "store", "client");
});

function named(object: KubernetesObject, name: string): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, name } };
}

afterAll(async () => {
  await kubectl("delete", "namespace", shop, "--wait=false");
});

it("reaches each pod of a StatefulSet by its own name, with the caller's identity", async () => {
  for (const pod of ["store-0", "store-1"]) {
    expect(await ask(shop, "client", `http://${pod}.store:8080/`)).toBe(`200 ${pod}`);
    expect(await ask(shop, "client", `http://${pod}.store.${shop}.svc.cluster.local:8080/who`)).toBe(`200 ${who}`);
  }
});

it("ends with a Job's container, and lets the Job complete", async () => {
  const once = ["-e", "fetch('http://store-0.store:8080/').then((r) => process.exit(r.ok ? 0 : 1))"];
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
  const { status } = await podOf(shop, "job-name=once");
  const ended = (found: (typeof status)["containerStatuses"] = [], name: string) =>
    Date.parse(found.find((one) => one.name === name)?.state.terminated?.finishedAt ?? "");
  const tookMs = ended(status.initContainerStatuses, "tulle-sidecar") - ended(status.containerStatuses, "once");
  expect(tookMs).toBeLessThanOrEqual(jobEndsWithinMs);
});

it("applies a policy to the pods that it selects, and not to a Deployment of the same name", async () => {
  await apply([
    {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "nobody", namespace: shop },
      spec: { selector: { matchLabels: { app: "store" } }, rules: [] },
    },
  ]);
  await kubectl("-n", shop, "wait", "accesspolicy/nobody", "--for=condition=Programmed", "--timeout=30s");
  expect(await ask(shop, "client", "http://store-0.store:8080/")).toMatch(/^403 /);
  expect(await ask(shop, "client", "http://front/")).toBe("200 v1");
});
