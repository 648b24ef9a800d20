/** What users and their scripts do to a cluster: too much, too little, and in the wrong order. */

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { watchCluster } from "../../../control-plane/source/kubernetes/cluster-source.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { putObjects } from "../etcd.ts";
import { TestNamespace } from "./objects.ts";

const tulle = "tulle.dev/v1alpha1";

let api: ClusterApi;
let stopping: AbortController;
beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
});
afterAll(() => api.close());
afterEach(() => stopping.abort());

async function follow(): Promise<Pipeline> {
  stopping = new AbortController();
  const pipeline = new Pipeline({ trustDomain: "cluster.local", clusterDomain: "cluster.local" });
  const onChange = pipeline.apply.bind(pipeline);
  await watchCluster({ api, signal: stopping.signal, log: new RecordedLog().write, onChange });
  return pipeline;
}

function destinationOf(pipeline: Pipeline, { name }: TestNamespace, service: string) {
  const found = pipeline.snapshot.get("destination", `${service}.${name}.svc.cluster.local:80`);
  return found?.resource.kind === "destination" ? found.resource.value : undefined;
}

const reasonsOf = (pipeline: Pipeline, namespace: TestNamespace) =>
  new Map(
    pipeline
      .policyStatuses(() => undefined)
      .filter((status) => status.namespace === namespace.name)
      .map(({ name, conditions }) => [name, conditions.map(({ type, reason }) => `${type} ${reason}`)]),
  );

const crowd = 10_000;
const oldest = 5;

function crowdPolicy(index: number) {
  return {
    apiVersion: tulle,
    kind: "RetryPolicy",
    metadata: { name: `p${index}` },
    spec: { targetRefs: [{ kind: "Service", name: "orders" }], maxAttempts: 2 + (index % 8) },
  };
}

/** All but the oldest, each a second younger or more. */
async function createCrowd(shop: TestNamespace): Promise<void> {
  const others = Array.from({ length: crowd }, (_, index) => index).filter((index) => index !== oldest);
  const etcd = inject("etcd");
  if (etcd !== "") {
    // As the server would store them, in a tenth of the time.
    const creationTimestamp = new Date(Date.now() + 60_000).toISOString().replace(/\.\d+Z$/, "Z");
    const objects = others.map((index) => {
      const policy = crowdPolicy(index);
      const metadata = {
        ...policy.metadata,
        namespace: shop.name,
        uid: randomUUID(),
        generation: 1,
        creationTimestamp,
      };
      return { key: `tulle.dev/retrypolicies/${shop.name}/p${index}`, object: { ...policy, metadata } };
    });
    return putObjects(new URL(etcd), objects, 1);
  }
  await expect.poll(() => Date.now() % 1_000, { interval: 5 }).toBeGreaterThan(980);
  await expect.poll(() => Date.now() % 1_000, { interval: 5 }).toBeLessThan(100);
  const waiting = others.values();
  const worker = async () => {
    for (const index of waiting) await shop.create(tulle, "retrypolicies", crowdPolicy(index));
  };
  await Promise.all(Array.from({ length: 40 }, worker));
}

it("applies the oldest of 10,000 policies on one target, and names it in the others' status", {
  timeout: 240_000,
}, async () => {
  const shop = await TestNamespace.create(api, "crowd");
  await shop.service("orders");
  await shop.create(tulle, "retrypolicies", crowdPolicy(oldest));
  const pipeline = await follow();
  await createCrowd(shop);
  await expect
    .poll(() => pipeline.index.policies().filter(({ object }) => object.metadata.namespace === shop.name).length, {
      timeout: 60_000,
    })
    .toBe(crowd);
  expect(destinationOf(pipeline, shop, "orders")?.routes[0]?.retry?.maxAttempts).toBe(7);
  const startMs = performance.now();
  const reasons = reasonsOf(pipeline, shop);
  expect(performance.now() - startMs).toBeLessThan(5_000);
  expect(reasons.get("p5")).toContain("Accepted Accepted");
  expect([...reasons.values()].filter((of) => of.includes("Accepted Conflicted"))).toHaveLength(crowd - 1);
  // A relist takes 20 pages, and is one state.
  stopping.abort();
  const again = await follow();
  expect(again.index.policies().filter(({ object }) => object.metadata.namespace === shop.name)).toHaveLength(crowd);
  await shop.remove();
});

it("forgets a namespace that is deleted, and nothing else", async () => {
  const pipeline = await follow();
  const [shop, other] = [await TestNamespace.create(api, "ending"), await TestNamespace.create(api, "staying")];
  for (const namespace of [shop, other]) {
    await namespace.service("orders");
    await namespace.pod("orders-1", "orders", { ip: "10.3.0.1" });
    await namespace.create(tulle, "retrypolicies", {
      apiVersion: tulle,
      kind: "RetryPolicy",
      metadata: { name: "patient" },
      spec: { maxAttempts: 7 },
    });
    await expect.poll(() => destinationOf(pipeline, namespace, "orders")?.routes[0]?.retry?.maxAttempts).toBe(7);
  }
  await shop.remove();
  // Kubelet would end the pods.
  await shop.delete("v1", "pods/orders-1");
  await expect.poll(() => destinationOf(pipeline, shop, "orders")).toBeUndefined();
  await expect.poll(() => reasonsOf(pipeline, shop).size).toBe(0);
  expect(pipeline.snapshot.list("inbound").filter(({ name }) => name.startsWith(`${shop.name}/`))).toEqual([]);
  expect(destinationOf(pipeline, other, "orders")?.routes[0]?.retry?.maxAttempts).toBe(7);
});

it("says that a backend is gone when it is deleted while a split leads to it, and takes it back", async () => {
  const pipeline = await follow();
  const shop = await TestNamespace.create(api, "split");
  for (const name of ["catalog", "catalog-v2"]) await shop.service(name);
  await shop.create(tulle, "trafficsplits", {
    apiVersion: tulle,
    kind: "TrafficSplit",
    metadata: { name: "catalog" },
    spec: {
      service: "catalog",
      backends: [
        { service: "catalog", weight: 90 },
        { service: "catalog-v2", weight: 10 },
      ],
    },
  });
  const weights = () => destinationOf(pipeline, shop, "catalog")?.routes[0]?.backends.map(({ weight }) => weight);
  await expect.poll(weights).toEqual([90, 10]);
  await shop.delete("v1", "services/catalog-v2");
  await expect.poll(() => reasonsOf(pipeline, shop).get("catalog")).toContain("ResolvedRefs BackendNotFound");
  expect(weights()).toEqual([90, 10]);
  await shop.service("catalog-v2");
  await expect.poll(() => reasonsOf(pipeline, shop).get("catalog")).toContain("ResolvedRefs ResolvedRefs");
});
