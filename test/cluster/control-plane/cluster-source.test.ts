import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { watchCluster } from "../../../control-plane/source/kubernetes/cluster-source.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import type { SourceChange } from "../../../control-plane/source/source.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { applyGatewayDefinitions, deleteGatewayDefinitions } from "../definitions.ts";
import { TestNamespace } from "./objects.ts";

let api: ClusterApi;
let stopping: AbortController;
beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
});
afterAll(() => api.close());
afterEach(() => stopping.abort());

/** What the control plane makes of the cluster. */
async function follow(onChange: (change: SourceChange) => void = () => {}): Promise<Pipeline> {
  stopping = new AbortController();
  const pipeline = new Pipeline({ trustDomain: "cluster.local", clusterDomain: "cluster.local" });
  await watchCluster({
    api,
    signal: stopping.signal,
    log: new RecordedLog().write,
    onChange: (change) => {
      onChange(change);
      pipeline.apply(change);
    },
  });
  return pipeline;
}

function endpointsOf(pipeline: Pipeline, { name }: TestNamespace, service: string, port = 80) {
  const published = pipeline.snapshot.get("endpoints", `${service}.${name}.svc.cluster.local:${port}`);
  return published?.resource.kind === "endpoints" ? published.resource.value.endpoints : undefined;
}

function destinationOf(pipeline: Pipeline, { name }: TestNamespace, service: string, port = 80) {
  const published = pipeline.snapshot.get("destination", `${service}.${name}.svc.cluster.local:${port}`);
  return published?.resource.kind === "destination" ? published.resource.value : undefined;
}

describe("endpoints", () => {
  it("are the pods that the cluster's own slices name, with their identity", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders");
    await shop.pod("orders-1", "orders", { ip: "10.1.0.1" });
    await shop.pod("orders-2", "orders", { ip: "10.1.0.2" });
    await expect.poll(() => endpointsOf(pipeline, shop, "orders")?.length).toBe(2);
    expect(endpointsOf(pipeline, shop, "orders")?.[0]).toMatchObject({
      address: "10.1.0.1:8080",
      pod: "orders-1",
      identity: `spiffe://cluster.local/ns/${shop.name}/sa/orders`,
      state: "ready",
    });
    await shop.podStatus("orders-1", "10.1.0.1", false);
    await expect.poll(() => endpointsOf(pipeline, shop, "orders")?.length).toBe(1);
    await shop.delete("v1", "pods/orders-2");
    await expect.poll(() => endpointsOf(pipeline, shop, "orders")?.length).toBe(0);
  });

  it("of a Service that is partly meshed have an identity where there is a sidecar", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders");
    await shop.pod("meshed", "orders", { ip: "10.1.1.1" });
    await shop.pod("plain", "orders", { ip: "10.1.1.2", meshed: false });
    await expect.poll(() => endpointsOf(pipeline, shop, "orders")?.length).toBe(2);
    expect(endpointsOf(pipeline, shop, "orders")?.map(({ pod, identity }) => [pod, identity !== undefined])).toEqual([
      ["meshed", true],
      ["plain", false],
    ]);
  });

  it("of a Service without a selector are the addresses of its slices", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.create("v1", "services", {
      metadata: { name: "outside" },
      spec: { ports: [{ name: "http", port: 80 }] },
    });
    await shop.create("discovery.k8s.io/v1", "endpointslices", {
      metadata: { name: "outside-1", labels: { "kubernetes.io/service-name": "outside" } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 9090 }],
      endpoints: [{ addresses: ["203.0.113.7"], zone: "a", hints: { forZones: [{ name: "a" }] } }],
    });
    await expect.poll(() => endpointsOf(pipeline, shop, "outside")?.length).toBe(1);
    expect(endpointsOf(pipeline, shop, "outside")).toEqual([
      { address: "203.0.113.7:9090", pod: "203.0.113.7", state: "ready", zone: "a", forZones: ["a"] },
    ]);
  });

  it("of a headless Service are its pods, and an ExternalName has none", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("db", { clusterIP: "None" });
    await shop.pod("db-0", "db", { ip: "10.1.2.1" });
    await shop.create("v1", "services", {
      metadata: { name: "alias" },
      spec: { type: "ExternalName", externalName: "example.com", ports: [{ port: 80 }] },
    });
    await expect.poll(() => endpointsOf(pipeline, shop, "db")?.length).toBe(1);
    expect(endpointsOf(pipeline, shop, "alias")).toBeUndefined();
  });

  it("by a named port go to the port that each pod has under that name", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders", { ports: [{ name: "web", port: 80, targetPort: "http" }] });
    await shop.pod("orders-1", "orders", { ip: "10.1.3.1" });
    await expect.poll(() => endpointsOf(pipeline, shop, "orders")?.length).toBe(1);
    expect(endpointsOf(pipeline, shop, "orders")?.[0]?.address).toBe("10.1.3.1:8080");
  });
});

describe("a policy", () => {
  it("is in force once it is written, and gone once it is deleted", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders");
    await shop.create("tulle.dev/v1alpha1", "retrypolicies", {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "RetryPolicy",
      metadata: { name: "patient" },
      spec: { maxAttempts: 7 },
    });
    await expect.poll(() => destinationOf(pipeline, shop, "orders")?.routes[0]?.retry?.maxAttempts).toBe(7);
    await shop.delete("tulle.dev/v1alpha1", "retrypolicies/patient");
    await expect.poll(() => destinationOf(pipeline, shop, "orders")?.routes[0]?.retry).toBe(undefined);
  });
});

describe("a status", () => {
  it("that is written notifies nobody: the next change of the object is not delayed", async () => {
    const changed: string[] = [];
    const pipeline = await follow(({ applied }) => changed.push(...applied.map(({ key }) => key)));
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders");
    const targetRefs = [{ kind: "Service", name: "orders" }];
    await shop.create("tulle.dev/v1alpha1", "retrypolicies", {
      apiVersion: "tulle.dev/v1alpha1",
      kind: "RetryPolicy",
      metadata: { name: "orders" },
      spec: { targetRefs, maxAttempts: 2 },
    });
    const isPolicy = (key: string) => key === `RetryPolicy.tulle.dev ${shop.name}/orders`;
    const attempts = () => destinationOf(pipeline, shop, "orders")?.routes[0]?.retry?.maxAttempts;
    await expect.poll(attempts).toBe(2);
    const lastTransitionTime = "2026-01-01T00:00:00Z";
    const condition = { type: "Accepted", status: "True", reason: "Accepted", message: "", lastTransitionTime };
    await shop.patch("tulle.dev/v1alpha1", "retrypolicies/orders/status", { status: { conditions: [condition] } });
    await shop.service("marker");
    await expect.poll(() => destinationOf(pipeline, shop, "marker")).toBeDefined();
    expect(changed.filter(isPolicy)).toHaveLength(1);
    await shop.patch("tulle.dev/v1alpha1", "retrypolicies/orders", { spec: { maxAttempts: 4 } });
    await expect.poll(attempts).toBe(4);
    expect(changed.filter(isPolicy)).toHaveLength(2);
  });
});

it("reports the changes of a burst together, and never more often than every 10 ms", async () => {
  const handedOnAtMs: number[] = [];
  const pipeline = await follow(() => handedOnAtMs.push(performance.now()));
  const shop = await TestNamespace.create(api, "burst");
  const names = Array.from({ length: 40 }, (_, i) => `orders-${i}`);
  const before = handedOnAtMs.length;
  await Promise.all(names.map((name) => shop.service(name)));
  await expect.poll(() => names.every((name) => destinationOf(pipeline, shop, name) !== undefined)).toBe(true);
  const burst = handedOnAtMs.slice(before);
  expect(burst.length).toBeLessThan(names.length);
  const gaps = burst.slice(1).map((atMs, i) => atMs - (burst[i] ?? 0));
  // A timer of 10 ms may come a little early.
  expect(Math.min(...gaps, 10)).toBeGreaterThan(8);
});

describe("routes of Gateway API", () => {
  it("are followed as soon as their definitions are installed, and forgotten with them", async () => {
    const pipeline = await follow();
    const shop = await TestNamespace.create(api, "shop");
    await shop.service("orders");
    await applyGatewayDefinitions(api);
    await shop.create("gateway.networking.k8s.io/v1", "httproutes", {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "orders" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "orders" }],
        rules: [{ backendRefs: [{ name: "nobody", port: 80 }] }],
      },
    });
    const routeName = () => destinationOf(pipeline, shop, "orders")?.routes[0]?.name;
    await expect.poll(routeName, { timeout: 5_000 }).toContain("HTTPRoute");
    await deleteGatewayDefinitions(api);
    await expect.poll(routeName).toBe("default");
  });
});

describe("an object that slipped past admission", () => {
  it("is a problem that names it and its field", async () => {
    const pipeline = await follow();
    await applyGatewayDefinitions(api);
    const shop = await TestNamespace.create(api, "shop");
    await shop.create("gateway.networking.k8s.io/v1", "httproutes", {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "odd" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "orders" }],
        rules: [{ timeouts: { request: "soon" } }],
      },
    });
    const problems = () => pipeline.index.problems().map(formatProblem);
    await expect
      .poll(problems)
      .toContainEqual(expect.stringContaining(`HTTPRoute ${shop.name}/odd spec.rules[0].timeouts.request: `));
    await deleteGatewayDefinitions(api);
  });
});
