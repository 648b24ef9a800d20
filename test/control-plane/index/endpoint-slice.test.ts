import { describe, expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

function open(...yaml: string[]): Pipeline {
  const pipeline = new Pipeline({ trustDomain: "cluster.local", clusterDomain: "cluster.local" });
  for (const text of yaml) pipeline.apply(changeOf(text));
  return pipeline;
}

function endpointsOf(pipeline: Pipeline, service = "orders", port = 80) {
  const found = pipeline.snapshot.get("endpoints", `${service}.shop.svc.cluster.local:${port}`);
  return found?.resource.kind === "endpoints" ? found.resource.value.endpoints : undefined;
}

const addressesOf = (pipeline: Pipeline, service?: string) =>
  endpointsOf(pipeline, service)?.map(({ address }) => address);

interface Slice {
  readonly name?: string;
  readonly service?: string;
  readonly type?: string;
  readonly ports?: string;
}

const slice = (
  endpoints: string,
  { name = "s1", service = "orders", type = "IPv4", ports = "{port: 8080}" }: Slice = {},
) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: ${name}, labels: {kubernetes.io/service-name: ${service}}}
addressType: ${type}
ports: [${ports}]
endpoints: [${endpoints}]
---`;

const endpoint = (ip: string, pod: string, more = "") =>
  `{addresses: ["${ip}"], targetRef: {kind: Pod, name: ${pod}}${more}}`;

describe("EndpointSlices", () => {
  it("replace labels as soon as there is one", () => {
    const pods = podYaml("a", "orders", "10.0.0.1") + podYaml("b", "orders", "10.0.0.2");
    const pipeline = open(serviceYaml("orders") + pods);
    expect(addressesOf(pipeline)).toEqual(["10.0.0.1:8080", "10.0.0.2:8080"]);
    pipeline.apply(changeOf(slice(endpoint("10.0.0.2", "b"))));
    expect(addressesOf(pipeline)).toEqual(["10.0.0.2:8080"]);
    pipeline.apply(changeOf("", ["EndpointSlice.discovery.k8s.io shop/s1"]));
    expect(addressesOf(pipeline)).toHaveLength(2);
  });

  it("of one Service are merged, and an address in two of them counts once", () => {
    const pods = podYaml("a", "orders", "10.0.0.1") + podYaml("b", "orders", "10.0.0.2");
    const slices =
      slice(endpoint("10.0.0.1", "a")) +
      slice(`${endpoint("10.0.0.1", "a")}, ${endpoint("10.0.0.2", "b")}`, { name: "s2" });
    expect(addressesOf(open(serviceYaml("orders") + pods + slices))).toEqual(["10.0.0.1:8080", "10.0.0.2:8080"]);
  });

  it("may lead one port of the Service to two ports of an address, and another to the same", () => {
    const service = serviceYaml("orders", "name: web, port: 80}, {name: stats, port: 81");
    const slices = [8080, 9090].map((port) =>
      slice("{addresses: [192.0.2.1]}", {
        name: `s${port}`,
        ports: `{name: web, port: ${port}}, {name: stats, port: 9000}`,
      }),
    );
    const pipeline = open(service + slices.join(""));
    expect(addressesOf(pipeline)).toEqual(["192.0.2.1:8080", "192.0.2.1:9090"]);
    expect(endpointsOf(pipeline, "orders", 81)?.map(({ address }) => address)).toEqual(["192.0.2.1:9000"]);
  });

  it.each(["a", "z"])("lead to the pod that has an address now, not to %s that had it and is ending", (former) => {
    const pods =
      podYaml("m", "orders", "10.0.0.1") + podYaml(former, "orders", "10.0.0.1").replace(": orders, c", ": old, c");
    const ending = ", conditions: {ready: false, serving: true, terminating: true}";
    const both = [endpoint("10.0.0.1", former, ending), endpoint("10.0.0.1", "m")];
    const seen = slice((former === "a" ? both : both.reverse()).join(", "));
    expect(endpointsOf(open(serviceYaml("orders") + pods + seen))).toMatchObject([
      { pod: "m", identity: "spiffe://cluster.local/ns/shop/sa/orders", state: "ready" },
    ]);
  });

  it.each(["a", "z"])("lead to the pod that is ready, of those that share an address, not to %s", (crashing) => {
    const pods = podYaml("m", "orders", "10.0.0.1") + podYaml(crashing, "orders", "10.0.0.1");
    const both = [endpoint("10.0.0.1", crashing, ", conditions: {ready: false}"), endpoint("10.0.0.1", "m")];
    const seen = slice((crashing === "a" ? both : both.reverse()).join(", "));
    expect(endpointsOf(open(serviceYaml("orders") + pods + seen))).toMatchObject([{ pod: "m", state: "ready" }]);
  });

  it("keep pods apart that share their node's address and have different ports", () => {
    const service = serviceYaml("orders", "name: web, port: 80}, {name: stats, port: 81");
    const pods = podYaml("a", "orders", "10.0.0.1") + podYaml("b", "orders", "10.0.0.1");
    const slices =
      slice(endpoint("10.0.0.1", "a"), { ports: "{name: web, port: 8080}" }) +
      slice(endpoint("10.0.0.1", "b"), { name: "s2", ports: "{name: stats, port: 9000}" });
    const pipeline = open(service + pods + slices);
    expect([80, 81].map((port) => endpointsOf(pipeline, "orders", port)?.map(({ pod }) => pod))).toEqual([
      ["a"],
      ["b"],
    ]);
  });

  it.each([
    ["{ready: true}", "ready"],
    ["{}", "ready"],
    ["{ready: false, serving: true, terminating: true}", "terminating"],
    ["{ready: false, serving: false, terminating: true}", undefined],
    ["{ready: false}", undefined],
  ])("with conditions %s yield an endpoint that is %s", (conditions, state) => {
    const seen = slice(endpoint("10.0.0.1", "a", `, conditions: ${conditions}`));
    const pipeline = open(serviceYaml("orders") + podYaml("a", "orders", "10.0.0.1") + seen);
    expect(endpointsOf(pipeline)?.[0]?.state).toBe(state);
  });

  it("give node, zone and hints", () => {
    const more = ", nodeName: n1, zone: z1, hints: {forZones: [{name: z2}, {name: z1}], forNodes: [{name: n1}]}";
    const pipeline = open(
      serviceYaml("orders") + podYaml("a", "orders", "10.0.0.1") + slice(endpoint("10.0.0.1", "a", more)),
    );
    expect(endpointsOf(pipeline)?.[0]).toMatchObject({
      node: "n1",
      zone: "z1",
      forZones: ["z1", "z2"],
      forNodes: ["n1"],
    });
  });

  it("resolve ports by the names that the Service gives them", () => {
    const ports = "{name: web, port: 9090}, {name: dns, port: 53, protocol: UDP}";
    const service = serviceYaml("orders", "name: web, port: 80, targetPort: anything");
    const pipeline = open(service + podYaml("a", "orders", "10.0.0.1") + slice(endpoint("10.0.0.1", "a"), { ports }));
    expect(addressesOf(pipeline)).toEqual(["10.0.0.1:9090"]);
  });

  it("of the dialled family take precedence over the other's", () => {
    const both = slice(endpoint("10.0.0.1", "a")) + slice(endpoint("fd00::1", "a"), { name: "s6", type: "IPv6" });
    const pod = podYaml("a", "orders", "10.0.0.1");
    expect(addressesOf(open(serviceYaml("orders") + pod + both))).toEqual(["10.0.0.1:8080"]);
    const ipv6 = serviceYaml("orders").replace("{selector", "{ipFamilies: [IPv6, IPv4], selector");
    expect(addressesOf(open(ipv6 + pod + both))).toEqual(["[fd00::1]:8080"]);
  });

  it("of the pod's second family lead to where its sidecar listens, or without a sidecar to their own address", () => {
    const ipv6 = serviceYaml("orders").replace("{selector", "{ipFamilies: [IPv6], selector");
    const only6 = slice(endpoint("fd00:0::1", "a"), { type: "IPv6" });
    const both = podYaml("a", "orders", "10.0.0.1").replace(
      "podIP:",
      'podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}], podIP:',
    );
    expect(addressesOf(open(ipv6 + both + only6))).toEqual(["10.0.0.1:8080"]);
    expect(addressesOf(open(ipv6 + both.replace("proxy-version", "x") + only6))).toEqual(["[fd00:0::1]:8080"]);
    const elsewhere = slice(endpoint("10.9.0.1", "a"));
    expect(addressesOf(open(serviceYaml("orders") + both + elsewhere))).toEqual(["10.9.0.1:8080"]);
  });

  it("are ignored if they have names instead of addresses, or no Service", () => {
    const named = slice('{addresses: ["db.example"]}', { type: "FQDN" });
    expect(addressesOf(open(serviceYaml("orders") + podYaml("a", "orders", "10.0.0.1") + named))).toEqual([
      "10.0.0.1:8080",
    ]);
  });

  it("that are malformed are reported with their place, and change nothing", () => {
    const pipeline = open(
      serviceYaml("orders") + podYaml("a", "orders", "10.0.0.1") + slice(endpoint("10.0.0.1", "a")),
    );
    pipeline.apply(changeOf(slice('{addresses: ["nowhere"]}')));
    expect(addressesOf(pipeline)).toEqual(["10.0.0.1:8080"]);
    expect(pipeline.index.problems().map(formatProblem)).toEqual([
      'test.yaml:7 endpoints[0].addresses: must begin with an IP address, got "nowhere"',
    ]);
  });
});

describe("an endpoint whose pod is not known", () => {
  it("is left out until the pod is known, whichever comes first", () => {
    const pipeline = open(serviceYaml("orders") + slice(endpoint("10.0.0.1", "a")));
    expect(addressesOf(pipeline)).toEqual([]);
    pipeline.apply(changeOf(podYaml("a", "orders", "10.0.0.1")));
    expect(endpointsOf(pipeline)?.[0]).toMatchObject({
      address: "10.0.0.1:8080",
      identity: "spiffe://cluster.local/ns/shop/sa/orders",
    });
    pipeline.apply(changeOf("", ["Pod shop/a"]));
    expect(addressesOf(pipeline)).toEqual([]);
  });

  it("is left out while another pod has that name", () => {
    const withUid = (uid: string) => podYaml("a", "orders", "10.0.0.1").replace("name: a,", `name: a, uid: ${uid},`);
    const seen = slice("{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, uid: new}}");
    const pipeline = open(serviceYaml("orders") + withUid("old") + seen);
    expect(addressesOf(pipeline)).toEqual([]);
    pipeline.apply(changeOf(withUid("new")));
    expect(addressesOf(pipeline)).toEqual(["10.0.0.1:8080"]);
  });

  it("has no identity if it refers to no pod", () => {
    const pipeline = open(serviceYaml("orders") + slice("{addresses: [192.0.2.1]}"));
    expect(endpointsOf(pipeline)).toEqual([{ address: "192.0.2.1:8080", pod: "192.0.2.1", state: "ready" }]);
  });
});

describe("a workload without an object", () => {
  const pod = (name: string, account: string, createdAt: string) =>
    podYaml(name, account, "10.0.0.1")
      .replace('tulle.dev/proxy-version: "0.1.0"', 'tulle.dev/proxy-version: "0.1.0", tulle.dev/workload: orders')
      .replace("labels:", `creationTimestamp: "${createdAt}", uid: ${name}, labels:`);

  it("is what the newest of its pods says", () => {
    const pipeline = open(pod("b", "old", "2026-01-01T00:00:00Z") + pod("a", "new", "2026-01-02T00:00:00Z"));
    expect(pipeline.index.workloads().map(({ name, serviceAccount }) => [name, serviceAccount])).toEqual([
      ["orders", "new"],
    ]);
    expect(pipeline.snapshot.workloadIdentity("shop/orders")).toBe("spiffe://cluster.local/ns/shop/sa/new");
    pipeline.apply(changeOf("", ["Pod shop/a"]));
    expect(pipeline.snapshot.workloadIdentity("shop/orders")).toBe("spiffe://cluster.local/ns/shop/sa/old");
    pipeline.apply(changeOf("", ["Pod shop/b"]));
    expect(pipeline.snapshot.get("inbound", "shop/orders")).toBeUndefined();
  });

  it("is not described by a pod that has ended", () => {
    const policy = `
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: {namespace: shop, name: strict}
spec: {selector: {matchLabels: {app: orders}}, mtls: strict}`;
    const job = pod("b", "cleanup", "2026-01-02T00:00:00Z");
    const ended = job.replace("status: {", "status: {phase: Succeeded, ");
    const pipeline = open(pod("a", "orders", "2026-01-01T00:00:00Z") + ended + policy);
    const inbound = pipeline.snapshot.get("inbound", "shop/orders")?.resource.value;
    expect(inbound).toMatchObject({ ports: [{ port: 8080, mtls: "strict" }] });
    expect(pipeline.snapshot.workloadIdentity("shop/orders")).toBe("spiffe://cluster.local/ns/shop/sa/orders");
    pipeline.apply(changeOf("", ["Pod shop/a"]));
    expect(pipeline.snapshot.get("inbound", "shop/orders")).toBeUndefined();
  });

  it("does not exist if the pod of a cluster has no sidecar", () => {
    const plain = pod("a", "orders", "2026-01-01T00:00:00Z").replace('tulle.dev/proxy-version: "0.1.0", ', "");
    expect(open(plain).index.workloads()).toEqual([]);
  });
});
