import { describe, expect, it } from "vitest";
import { ClusterIndex } from "../../../control-plane/index/cluster-index.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import { changeOf, deploymentYaml, podYaml, serviceYaml } from "../../support/manifests.ts";

/** The facts that a change touches, sorted. */
function apply(index: ClusterIndex, yaml: string, removed: readonly string[] = []): string[] {
  return [...index.apply(changeOf(yaml, removed))].sort();
}

function problemsOf(yaml: string): string[] {
  const index = new ClusterIndex();
  index.apply(changeOf(yaml));
  return index.problems().map(formatProblem);
}

describe("pods behind a Service", () => {
  it("are those with all labels of its selector, whichever came first", () => {
    const index = new ClusterIndex();
    apply(index, podYaml("b", "orders", "10.0.0.2") + podYaml("x", "payments", "10.0.0.3"));
    apply(index, serviceYaml("orders"));
    apply(index, podYaml("a", "orders", "10.0.0.1"));
    expect(index.podsOf("shop", "orders").map((pod) => pod.name)).toEqual(["a", "b"]);
    expect(index.podsOf("other", "orders")).toEqual([]);
  });

  it("don't exist without a selector", () => {
    const index = new ClusterIndex();
    apply(
      index,
      `${podYaml("a", "orders", "10.0.0.1")}\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: s}, spec: {ports: [{port: 80}]}}`,
    );
    expect(index.podsOf("shop", "s")).toEqual([]);
  });
});

describe("the facts that a change affects", () => {
  const index = new ClusterIndex();

  it("name a Service, its pods and its namespace's list", () => {
    expect(apply(index, serviceYaml("orders"))).toEqual(["pods shop/orders", "service shop/orders", "services shop"]);
  });

  it("name the Services that select a pod, before and after", () => {
    apply(index, serviceYaml("payments"));
    expect(apply(index, podYaml("a", "orders", "10.0.0.1"))).toEqual([
      "address 10.0.0.1",
      "pods shop/orders",
      "workload shop/a",
    ]);
    expect(apply(index, podYaml("a", "payments", "10.0.0.1"))).toEqual([
      "address 10.0.0.1",
      "pods shop/orders",
      "pods shop/payments",
      "workload shop/a",
    ]);
  });

  it("don't change if an object is read again unchanged, even if its line moved", () => {
    expect(apply(index, `# a comment above\n${podYaml("a", "payments", "10.0.0.1")}`)).toEqual([]);
  });

  it("name the pods that a workload owns", () => {
    expect(apply(index, deploymentYaml("payments"))).toEqual(["workload shop/a", "workload shop/payments"]);
  });

  it("name once what a removed object was part of", () => {
    expect(apply(index, "", ["Pod shop/a"])).toEqual(["address 10.0.0.1", "pods shop/payments"]);
    expect(apply(index, "", ["Pod shop/a"])).toEqual([]);
  });
});

describe("workloads", () => {
  it("are the objects that create pods, and pods created by none", () => {
    const index = new ClusterIndex();
    apply(
      index,
      deploymentYaml("orders") + podYaml("orders-1", "orders", "10.0.0.1") + podYaml("alone", "x", "10.0.0.2"),
    );
    expect(index.workloads().map((workload) => workload.name)).toEqual(["alone", "orders"]);
    expect(index.workload("shop", "orders-1")).toBeUndefined();
    expect(index.workload("shop", "alone")?.serviceAccount).toBe("x");
  });
});

describe("bad input", () => {
  it("is reported with file, line, field, value and what is allowed", () => {
    expect(problemsOf(serviceYaml("a", "port: 0"))).toEqual([
      "test.yaml:5 spec.ports[0].port: must be a whole number from 1 to 65535, got 0",
    ]);
    expect(problemsOf(serviceYaml("a", "name: http"))).toEqual([
      "test.yaml:5 spec.ports[0].port: must be given, got nothing",
    ]);
    expect(
      problemsOf("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: Loadbalancer\n  ports: 80\n"),
    ).toEqual([
      'test.yaml:5 spec.type: must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, got "Loadbalancer"',
      "test.yaml:6 spec.ports: must be a list, got 80",
    ]);
    expect(problemsOf(deploymentYaml("a", 'containerPort: "8080"'))).toEqual([
      'test.yaml:10 spec.template.spec.containers[0].ports[0].containerPort: must be a whole number from 1 to 65535, got "8080"',
    ]);
  });

  it("is refused if a name would make two things look like one", () => {
    expect(problemsOf(serviceYaml("a.b"))).toEqual(['test.yaml:4 metadata.name: must be a DNS label, got "a.b"']);
    expect(problemsOf(serviceYaml("a").replace("namespace: shop", "namespace: b.shop"))).toEqual([
      'test.yaml:4 metadata.namespace: must be a DNS label, got "b.shop"',
    ]);
    expect(
      problemsOf(podYaml("a", "a", "10.0.0.1").replace("serviceAccountName: a", "serviceAccountName: a/b")),
    ).toEqual(['test.yaml:5 spec.serviceAccountName: must be a DNS subdomain, got "a/b"']);
    expect(problemsOf(serviceYaml("a", "port: 80}, {port: 80, protocol: UDP}, {port: 80, name: b"))).toEqual([
      "test.yaml:5 spec.ports[2].port: must be given once per protocol, got 80",
    ]);
    expect(problemsOf(serviceYaml("a", 'port: 80, targetPort: "8080"'))).toEqual([
      'test.yaml:5 spec.ports[0].targetPort: must be a number without quotes, or the name of a port, got "8080"',
    ]);
  });

  it("leaves the last valid version of the object in force", () => {
    const index = new ClusterIndex();
    apply(index, serviceYaml("orders", "port: 80"));
    expect(apply(index, serviceYaml("orders", "port: -80"))).toEqual([]);
    expect(index.problems()).toHaveLength(1);
    expect(index.service("shop", "orders")?.ports[0]?.port).toBe(80);
    expect(apply(index, serviceYaml("orders", "port: 81"))).toContain("service shop/orders");
    expect(index.problems()).toEqual([]);
    expect(index.service("shop", "orders")?.ports[0]?.port).toBe(81);
  });

  it("ignores Kubernetes' own kinds silently, and reports unknown ones", () => {
    const object = (apiVersion: string, kind: string) =>
      `{apiVersion: ${apiVersion}, kind: ${kind}, metadata: {name: a}}\n---\n`;
    expect(problemsOf(object("v1", "ConfigMap") + object("networking.k8s.io/v1", "Ingress"))).toEqual([]);
    expect(problemsOf(object("apps/v1", "Deploymnt"))).toEqual([
      "test.yaml:1 kind: unknown kind Deploymnt (apps/v1); of apps/v1 there are ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet",
    ]);
    expect(problemsOf(object("cert-manager.io/v1", "Certificate"))).toEqual([
      "test.yaml:1 kind: warning: unknown kind Certificate (cert-manager.io/v1), ignored",
    ]);
  });

  it("reads a route of a Service, ignores a route of a Gateway, and notices when one becomes the other", () => {
    const route = (parent: string, rules = "[]") =>
      `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [${parent}], rules: ${rules}}}`;
    const ofService = '{group: "", kind: Service, name: a}';
    expect(problemsOf(route("{name: edge}", "wrong"))).toEqual([]);
    expect(problemsOf(route(ofService, "wrong"))).toEqual(['test.yaml:1 spec.rules: must be a list, got "wrong"']);
    const index = new ClusterIndex();
    const service = { namespace: "default", name: "a" };
    expect([...apply(index, route(ofService))]).toEqual(["attached default/a"]);
    expect(index.routesOf(service)).toHaveLength(1);
    expect([...apply(index, route("{name: edge}"))]).toEqual(["attached default/a"]);
    expect([index.routesOf(service), index.routes()]).toEqual([[], []]);
  });

  it("forgets the problems of an object that is gone", () => {
    const index = new ClusterIndex();
    apply(index, `${serviceYaml("a", "port: 0")}\n{apiVersion: x/v1, kind: Y, metadata: {name: z}}`);
    expect(index.problems()).toHaveLength(2);
    apply(index, "", ["Service shop/a", "Y.x default/z"]);
    expect(index.problems()).toEqual([]);
  });
});

it("misses only pods that are ready and have a sidecar", () => {
  const index = new ClusterIndex();
  apply(index, podYaml("a", "orders", "10.0.0.1"));
  apply(index, podYaml("plain", "dns", "10.0.0.2").replace("tulle.dev/proxy-version", "x"));
  apply(index, podYaml("starts", "orders", "10.0.0.3").replace('status: "True"', 'status: "False"'));
  expect(index.isAnyMeshedBeyond(new Set())).toBe(true);
  expect(index.isAnyMeshedBeyond(new Set(["shop/a"]))).toBe(false);
});
