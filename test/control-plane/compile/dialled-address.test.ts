import { describe, expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import type { ResourceKind } from "../../../model/resources.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

const identity = "spiffe://cluster.local/ns/shop/sa/orders";
const orders = serviceYaml("orders", "name: http, port: 80, targetPort: 8080").replace(
  "spec: {",
  'spec: {clusterIP: 10.96.0.5, clusterIPs: [10.96.0.5, "fd00:96:0::5"], ',
);
const headless = (name: string) => serviceYaml(name).replace("spec: {", "spec: {clusterIP: None, ");
const breaker = (name: string, spec: string) =>
  `\n{apiVersion: tulle.dev/v1alpha1, kind: CircuitBreaker, metadata: {namespace: shop, name: ${name}}, spec: ${spec}}\n---`;

/** A pipeline, and somebody who dials. */
class Dialler {
  readonly pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });

  constructor(yaml: string) {
    this.apply(yaml);
  }

  apply(yaml: string, ...removed: string[]): void {
    this.pipeline.apply(changeOf(yaml, removed));
  }

  dial(name: string): this {
    for (const kind of ["destination", "endpoints"] as const) this.pipeline.setWanted(kind, name, true);
    return this;
  }

  told(kind: ResourceKind, name: string): unknown {
    return this.pipeline.snapshot.get(kind, name)?.resource.value;
  }
}

describe("a Service's address", () => {
  it("leads where the Service's name leads, over both address families", () => {
    const dialler = new Dialler(orders).dial("10.96.0.5:80").dial("[fd00:96::5]:80");
    const byName = dialler.told("destination", "orders.shop.svc.cluster.local:80");
    expect(byName).toMatchObject({ protocol: "http1" });
    for (const name of ["10.96.0.5:80", "[fd00:96::5]:80"])
      expect(dialler.told("destination", name)).toEqual({ ...(byName as object), name });
  });

  it("is outside the mesh at another port, or if the Service has no selector", () => {
    const dialler = new Dialler(orders).dial("10.96.0.5:81");
    expect(dialler.told("destination", "10.96.0.5:81")).toBeUndefined();
    dialler.apply(orders.replace("selector: {app: orders}, ", ""));
    expect(dialler.dial("10.96.0.5:80").told("destination", "10.96.0.5:80")).toBeUndefined();
  });

  it("follows the Service as it is added, changed and removed, and moves to the next one with that address", () => {
    const dialler = new Dialler("").dial("10.96.0.5:80");
    const service = () => (dialler.told("destination", "10.96.0.5:80") as { service: unknown } | undefined)?.service;
    expect(service()).toBeUndefined();
    dialler.apply(orders);
    expect(service()).toEqual({ namespace: "shop", name: "orders" });
    dialler.apply(orders.replaceAll("orders", "payments"));
    expect(service()).toEqual({ namespace: "shop", name: "orders" });
    dialler.apply("", "Service shop/orders");
    expect(service()).toEqual({ namespace: "shop", name: "payments" });
    dialler.apply(orders.replaceAll("orders", "payments").replaceAll("10.96.0.5", "10.96.0.6"));
    expect(service()).toBeUndefined();
  });

  it("carries the Service's policies, including later ones", () => {
    const dialler = new Dialler(orders).dial("10.96.0.5:80");
    dialler.apply(
      "{apiVersion: tulle.dev/v1alpha1, kind: TimeoutPolicy, metadata: {namespace: shop, name: t}, spec: {request: 7s}}",
    );
    expect(dialler.told("destination", "10.96.0.5:80")).toMatchObject({ routes: [{ timeout: { requestMs: 7_000 } }] });
  });

  it("is an error if it is not an address", () => {
    const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
    pipeline.apply(changeOf(orders.replace("10.96.0.5,", "10.96.0.500,")));
    expect(pipeline.index.problems().map(({ path, message }) => `${path} ${message}`)).toEqual([
      'spec.clusterIP must be an IP address or None, got "10.96.0.500"',
    ]);
  });
});

describe("a pod's address", () => {
  const pod = podYaml("orders-1", "orders", "10.1.0.7");

  it("leads to that pod alone, with its identity and its Service's breaker, and no routes", () => {
    const split = `
{apiVersion: tulle.dev/v1alpha1, kind: TrafficSplit, metadata: {namespace: shop, name: s}, spec:
      {service: orders, backends: [{service: orders, weight: 1}]}}\n---`;
    const dialler = new Dialler(headless("orders") + pod + split + breaker("b", "{failureThreshold: 3}"));
    dialler.dial("10.1.0.7:8080");
    const service = { namespace: "shop", name: "orders" };
    expect(dialler.told("destination", "10.1.0.7:8080")).toEqual({
      name: "10.1.0.7:8080",
      service,
      protocol: "detect",
      routes: [
        {
          name: "default",
          matches: [],
          backends: [{ endpoints: "10.1.0.7:8080", service, weight: 1 }],
          timeout: { connectMs: 1_000 },
        },
      ],
    });
    expect(dialler.told("endpoints", "10.1.0.7:8080")).toMatchObject({
      service,
      breaker: { failureThreshold: 3 },
      endpoints: [{ address: "10.1.0.7:8080", pod: "orders-1", identity, state: "ready" }],
    });
  });

  it("leads to the pod whether or not it is ready or behind a Service", () => {
    const notReady = pod.replace('"True"', '"False"');
    const dialler = new Dialler(notReady + breaker("b", "{failureThreshold: 3}")).dial("10.1.0.7:8080");
    expect(dialler.told("endpoints", "10.1.0.7:8080")).toMatchObject({
      service: { namespace: "shop", name: "orders-1" },
      breaker: { failureThreshold: 3 },
      endpoints: [{ identity, state: "ready" }],
    });
  });

  it("is outside the mesh if the pod has no sidecar, or does not declare the port", () => {
    const dialler = new Dialler(pod).dial("10.1.0.7:9999");
    expect(dialler.told("destination", "10.1.0.7:9999")).toBeUndefined();
    dialler.apply(pod.replace("tulle.dev/proxy-version", "x"));
    expect(dialler.dial("10.1.0.7:8080").told("destination", "10.1.0.7:8080")).toBeUndefined();
  });

  it("of the other family leads to the address where its sidecar listens", () => {
    const both = pod.replace("podIP:", 'podIPs: [{ip: 10.1.0.7}, {ip: "fd00::7"}], podIP:');
    const dialler = new Dialler(both).dial("[fd00::7]:8080");
    expect(dialler.told("endpoints", "[fd00::7]:8080")).toMatchObject({
      endpoints: [{ address: "10.1.0.7:8080", pod: "orders-1", identity, state: "ready" }],
    });
  });

  it("moves to the next pod that gets it", () => {
    const dialler = new Dialler(pod).dial("10.1.0.7:8080");
    const name = () => {
      const { endpoints } = dialler.told("endpoints", "10.1.0.7:8080") as { endpoints: { pod: string }[] };
      return endpoints[0]?.pod;
    };
    const next = podYaml("a", "orders", "10.1.0.7");
    dialler.apply(next.replace("name: a,", "name: a, deletionTimestamp: '2026-01-01T00:00:00Z',"));
    expect(name()).toBe("orders-1");
    dialler.apply(pod.replace("status: {", "status: {phase: Succeeded, "));
    expect(name()).toBe("a");
  });
});

describe("a pod's own name below a headless Service", () => {
  const name = "db-0.db.shop.svc.cluster.local:8080";
  const podNamed = (pod: string, ip: string) =>
    podYaml(pod, "db", ip) +
    `
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{port: 8080}],
  metadata: {namespace: shop, name: s-${pod}, labels: {kubernetes.io/service-name: db}},
  endpoints: [{addresses: [${ip}], hostname: ${pod}, targetRef: {kind: Pod, name: ${pod}}}]}\n---`;
  const pods = podNamed("db-0", "10.1.0.8") + podNamed("db-1", "10.1.0.9");

  it("leads where that pod's address leads", () => {
    const dialler = new Dialler(headless("db") + pods).dial(name).dial("10.1.0.8:8080");
    const byAddress = dialler.told("endpoints", "10.1.0.8:8080") as object;
    expect(byAddress).toMatchObject({
      endpoints: [{ pod: "db-0", identity: "spiffe://cluster.local/ns/shop/sa/db", state: "ready" }],
    });
    expect(dialler.told("endpoints", name)).toEqual({ ...byAddress, name });
    expect(dialler.told("destination", name)).toMatchObject({ name, routes: [{ backends: [{ endpoints: name }] }] });
  });

  it("follows the pod as it is added, recreated with another address, and removed", () => {
    const dialler = new Dialler(headless("db")).dial(name);
    const address = () =>
      (dialler.told("endpoints", name) as { endpoints: { address: string }[] } | undefined)?.endpoints[0]?.address;
    expect(address()).toBeUndefined();
    dialler.apply(pods);
    expect(address()).toBe("10.1.0.8:8080");
    dialler.apply(podNamed("db-0", "10.1.0.18"));
    expect(address()).toBe("10.1.0.18:8080");
    dialler.apply("", "Pod shop/db-0", "EndpointSlice.discovery.k8s.io shop/s-db-0");
    expect(address()).toBeUndefined();
  });

  it.each([
    ["of a Service that has an address", headless("db").replace("None", "10.96.0.9"), name],
    ["of a pod that is not there", headless("db"), "db-2.db.shop.svc.cluster.local:8080"],
    ["of a port that it does not declare", headless("db"), "db-0.db.shop.svc.cluster.local:9999"],
    ["of more parts", headless("db"), "x.db-0.db.shop.svc.cluster.local:8080"],
    ["of another cluster", headless("db"), "db-0.db.shop.svc.example.com:8080"],
  ])("%s is nothing of the mesh's", (_, service, dialled) => {
    expect(new Dialler(service + pods).dial(dialled).told("destination", dialled)).toBeUndefined();
  });
});

it("is compiled only while somebody wants it", () => {
  const dialler = new Dialler(orders + podYaml("orders-1", "orders", "10.1.0.7"));
  const { snapshot } = dialler.pipeline;
  const byAddress = () =>
    [...snapshot.list("destination"), ...snapshot.list("endpoints")].filter((r) => /^[\d[]/.test(r.name));
  expect(byAddress()).toEqual([]);
  dialler.dial("10.96.0.5:80").dial("10.1.0.7:8080");
  expect(byAddress().map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "destination 10.1.0.7:8080",
    "destination 10.96.0.5:80",
    "endpoints 10.1.0.7:8080",
  ]);
  for (const { kind, name } of byAddress()) dialler.pipeline.setWanted(kind, name, false);
  dialler.apply(orders.replace("name: http", "name: tcp"));
  expect(byAddress()).toEqual([]);
});
