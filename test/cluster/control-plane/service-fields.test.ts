/**
 * What a Service's fields say about balancing, from the API server to the choice that a sidecar makes: the same choice as
 * kube-proxy's (https://kubernetes.io/docs/reference/networking/virtual-ips/). Slices and hints come from Kubernetes' own
 * controller, and resources are encoded and decoded as on the wire.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { watchCluster } from "../../../control-plane/source/kubernetes/cluster-source.ts";
import type { Locality } from "../../../model/endpoint-choice.ts";
import type { Endpoints } from "../../../model/resources.ts";
import { decodeResource, decodeUpdate } from "../../../proto/decode.ts";
import { encodeResource, encodeUpdate } from "../../../proto/encode.ts";
import { backend } from "../../sidecar/balance/backends.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { TestNamespace, testNodes } from "./objects.ts";

const { near, far } = testNodes;
const byNear: Locality = { node: near.name, zone: near.zone };
const byFar: Locality = { node: far.name, zone: far.zone };
const elsewhere: Locality = { node: "another-node", zone: "another-zone" };
const addresses = { near: "10.4.0.1", far: "10.4.0.2" } as const;

let api: ClusterApi;
let pipeline: Pipeline;
let shop: TestNamespace;
const stopping = new AbortController();

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  pipeline = new Pipeline({ trustDomain: "cluster.local", clusterDomain: "cluster.local" });
  const onChange = pipeline.apply.bind(pipeline);
  await watchCluster({ api, signal: stopping.signal, log: new RecordedLog().write, onChange });
});
afterAll(() => {
  stopping.abort();
  api.close();
});
beforeEach(async () => {
  shop = await TestNamespace.create(api, "fields");
});

// Those of other scenarios look at all the pods there are.
afterEach(() => shop.delete("v1", "pods"));

/** Two pods, on a node of its own each, and their Service. */
async function orders(spec: Readonly<Record<string, unknown>>): Promise<void> {
  await shop.pod("near", "orders", { ip: addresses.near, node: near });
  await shop.pod("far", "orders", { ip: addresses.far, node: far });
  await shop.service("orders", spec);
}

const change = (spec: Readonly<Record<string, unknown>>) => shop.patch("v1", "services/orders", { spec });

/** As a sidecar reads it. */
function pushed(): Endpoints | undefined {
  const published = pipeline.snapshot.get("endpoints", `orders.${shop.name}.svc.cluster.local:80`);
  if (published === undefined) return undefined;
  const resources = [encodeResource(published.resource, published.version)];
  const [message] = decodeUpdate(encodeUpdate({ resources })).resources;
  const read = message && decodeResource(message);
  if (read?.ok !== true || read.value.kind !== "endpoints") throw new Error("not what a sidecar can read");
  return read.value.value;
}

/** The pods that get requests of a caller, or why none does. */
function reached(locality: Locality): readonly string[] {
  const told = pushed();
  const { one, ask } = backend(locality);
  one.apply(told);
  const answers = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { exchange, calls } = ask();
    const endpoint = told?.endpoints.find(({ address }) => address === exchange.endpoint);
    answers.add(endpoint?.pod ?? String(calls[0]?.[1]));
  }
  return [...answers].sort();
}

const all = ["far", "near"];

describe("trafficDistribution", () => {
  it.each(["PreferClose", "PreferSameZone"])("%s keeps callers in their zone, where that has anybody", async (word) => {
    await orders({ trafficDistribution: word });
    await expect.poll(() => reached(byNear)).toEqual(["near"]);
    expect(reached(byFar)).toEqual(["far"]);
    expect(reached({ node: "another-node", zone: far.zone })).toEqual(["far"]);
    expect(reached(elsewhere)).toEqual(all);
    await shop.podStatus("near", addresses.near, false);
    await expect.poll(() => reached(byNear)).toEqual(["far"]);
    await shop.podStatus("near", addresses.near, true);
    await change({ trafficDistribution: null });
    await expect.poll(() => reached(byNear)).toEqual(all);
  });

  it("PreferSameNode keeps them on their node, and else in its zone", async () => {
    await orders({ trafficDistribution: "PreferSameNode" });
    await shop.pod("nearby", "orders", { ip: "10.4.0.3", node: near });
    await expect.poll(() => reached(byFar)).toEqual(["far"]);
    await expect.poll(() => reached(byNear)).toEqual(["near", "nearby"]);
    expect(reached({ node: "another-node", zone: near.zone })).toEqual(["near", "nearby"]);
    expect(reached(elsewhere)).toEqual(["far", "near", "nearby"]);
  });
});

it("internalTrafficPolicy: Local leaves callers the pods of their node, and none where there is none", async () => {
  await orders({ internalTrafficPolicy: "Local" });
  await expect.poll(() => reached(byNear)).toEqual(["near"]);
  expect(reached(byFar)).toEqual(["far"]);
  expect(reached(elsewhere)).toEqual(["no_endpoints"]);
  await shop.podStatus("near", addresses.near, false);
  await expect.poll(() => reached(byNear)).toEqual(["no_endpoints"]);
  await change({ internalTrafficPolicy: "Cluster" });
  await expect.poll(() => reached(byNear)).toEqual(["far"]);
});

it("sessionAffinity: ClientIP keeps a caller at one pod for as long as the Service says, three hours if it does not", async () => {
  await orders({ sessionAffinity: "ClientIP" });
  await expect.poll(() => pushed()?.endpoints.length).toBe(2);
  expect(pushed()?.affinityMs).toBe(10_800_000);
  expect(reached(byNear)).toHaveLength(1);
  await change({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } });
  await expect.poll(() => pushed()?.affinityMs).toBe(60_000);
  await change({ sessionAffinity: "None", sessionAffinityConfig: null });
  await expect.poll(() => reached(byNear)).toEqual(all);
});

it("publishNotReadyAddresses has callers reach pods that are not ready, and those that end", async () => {
  await orders({ publishNotReadyAddresses: true });
  await shop.podStatus("near", addresses.near, false);
  await expect.poll(() => reached(byNear)).toEqual(all);
  await shop.end("far");
  await expect
    .poll(() => pushed()?.endpoints.map(({ pod, state }) => `${pod} ${state}`))
    .toEqual(["near ready", "far ready"]);
  await change({ publishNotReadyAddresses: false });
  await expect.poll(() => reached(byNear)).toEqual(["far"]);
});

it("a pod that ends gets requests only while no other is ready, and none once it is not ready itself", async () => {
  await orders({});
  await expect.poll(() => reached(byNear)).toEqual(all);
  await shop.end("near");
  await expect.poll(() => reached(byNear)).toEqual(["far"]);
  expect(pushed()?.endpoints.find(({ pod }) => pod === "near")?.state).toBe("terminating");
  await shop.podStatus("far", addresses.far, false);
  await expect.poll(() => reached(byNear)).toEqual(["near"]);
  await shop.podStatus("near", addresses.near, false);
  await expect.poll(() => reached(byNear)).toEqual(["no_endpoints"]);
});

it.skipIf(inject("tokenKeyFile") === "")(
  "a Service of IPv6 leads to where the sidecars of its pods listen, which is their first address",
  async () => {
    await shop.pod("near", "orders");
    const podIPs = [{ ip: addresses.near }, { ip: "fd00:4::1" }];
    const conditions = [{ type: "Ready", status: "True" }];
    await shop.patch("v1", "pods/near/status", {
      status: { phase: "Running", podIP: addresses.near, podIPs, conditions },
    });
    await shop.pod("far", "orders", { meshed: false });
    const plain = [{ ip: addresses.far }, { ip: "fd00:4::2" }];
    await shop.patch("v1", "pods/far/status", {
      status: { phase: "Running", podIP: addresses.far, podIPs: plain, conditions },
    });
    await shop.service("orders", { ipFamilies: ["IPv6"] });
    await expect
      .poll(() => pushed()?.endpoints.map(({ address }) => address))
      .toEqual([`${addresses.near}:8080`, "[fd00:4::2]:8080"]);
  },
);
