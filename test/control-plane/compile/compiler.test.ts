import { describe, expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import type { Endpoints, Inbound } from "../../../model/resources.ts";
import { changeOf, deploymentYaml, podYaml, serviceYaml } from "../../support/manifests.ts";

/** The control plane's own, with a record of what happens. */
class Recorded {
  compiled: string[] = [];
  changed: string[] = [];
  readonly #pipeline = new Pipeline({
    clusterDomain: "cluster.local",
    trustDomain: "cluster.local",
    onCompile: (kind, namespace, name) => this.compiled.push(`${kind} ${namespace}/${name}`),
  });
  readonly snapshot = this.#pipeline.snapshot;

  constructor(yaml: string) {
    this.apply(yaml);
    this.snapshot.watch((kind, name) => this.changed.push(`${kind} ${name}`));
  }

  apply(yaml: string, removed: readonly string[] = []): void {
    this.compiled = [];
    this.changed = [];
    this.#pipeline.apply(changeOf(yaml, removed));
  }

  endpoints(name: string): Endpoints["endpoints"] | undefined {
    const resource = this.snapshot.get("endpoints", `${name}.shop.svc.cluster.local:80`)?.resource;
    return resource?.kind === "endpoints" ? resource.value.endpoints : undefined;
  }

  inbound(name: string): Inbound["ports"] | undefined {
    const resource = this.snapshot.get("inbound", `shop/${name}`)?.resource;
    return resource?.kind === "inbound" ? resource.value.ports : undefined;
  }
}

describe("what is compiled again", () => {
  const yaml = ["web", "orders", "payments"].map((name) => serviceYaml(name) + deploymentYaml(name)).join("");
  const orders = podYaml("orders-1", "orders", "10.0.0.1");

  it("is only the Endpoints of the Service when a pod is added, changed or removed", () => {
    const pipeline = new Recorded(yaml);
    for (const [step, removed] of [
      [orders, []],
      [orders.replace('"True"', '"False"'), []],
      [orders, []],
      ["", ["Pod shop/orders-1"]],
    ] as const) {
      pipeline.apply(step, removed);
      expect(pipeline.compiled).toEqual(["endpoints shop/orders"]);
      expect(pipeline.changed).toEqual(["endpoints orders.shop.svc.cluster.local:80"]);
    }
  });

  it("is nothing when nothing changed", () => {
    const pipeline = new Recorded(yaml);
    pipeline.apply(yaml);
    expect(pipeline.compiled).toEqual([]);
  });

  it("notifies nobody if the result is equal", () => {
    const pipeline = new Recorded(yaml);
    pipeline.apply(deploymentYaml("orders").replace("replicas: 2", "replicas: 3"));
    expect(pipeline.compiled).toEqual(["inbound shop/orders"]);
    expect(pipeline.changed).toEqual([]);
  });

  it("withdraws what a Service no longer has", () => {
    const pipeline = new Recorded(yaml);
    pipeline.apply(serviceYaml("orders", "port: 81"));
    expect(pipeline.changed).toEqual([
      "endpoints orders.shop.svc.cluster.local:80",
      "endpoints orders.shop.svc.cluster.local:81",
      "destination orders.shop.svc.cluster.local:80",
      "destination orders.shop.svc.cluster.local:81",
      "inbound shop/orders",
    ]);
    expect(pipeline.snapshot.get("destination", "orders.shop.svc.cluster.local:80")).toBeUndefined();
    pipeline.apply("", ["Service shop/orders", "Deployment.apps shop/orders"]);
    expect(pipeline.snapshot.list("destination").map(({ name }) => name)).toEqual([
      "payments.shop.svc.cluster.local:80",
      "web.shop.svc.cluster.local:80",
    ]);
    expect(pipeline.snapshot.workloadIdentity("shop/orders")).toBeUndefined();
  });

  it("gives the same result in whatever order the input arrived", () => {
    const input = [...yaml.split("---"), orders, podYaml("orders-2", "orders", "10.0.0.2")];
    const versions = (pipeline: Recorded) =>
      (["destination", "endpoints", "inbound"] as const).flatMap((kind) =>
        pipeline.snapshot.list(kind).map(({ name, version }) => `${name} ${version}`),
      );
    const forwards = new Recorded("");
    for (const document of input) forwards.apply(document);
    const backwards = new Recorded("");
    for (const document of input.toReversed()) backwards.apply(document);
    expect(versions(backwards)).toEqual(versions(forwards));
    expect(versions(forwards)).toEqual(versions(new Recorded(input.join("\n---\n"))));
  });
});

describe("Endpoints", () => {
  const compile = (pod: string, service = serviceYaml("orders")) => new Recorded(service + pod).endpoints("orders");
  const orders = podYaml("orders-1", "orders", "10.0.0.1");

  it("name the address, the pod, and the identity that a meshed pod must present", () => {
    expect(compile(orders)).toEqual([
      {
        address: "10.0.0.1:8080",
        pod: "orders-1",
        identity: "spiffe://cluster.local/ns/shop/sa/orders",
        state: "ready",
      },
    ]);
  });

  it("give no identity to a pod without a sidecar", () => {
    expect(compile(orders.replace("tulle.dev/proxy-version", "x"))?.[0]).not.toHaveProperty("identity");
  });

  it("leave out pods that are not ready or have no address", () => {
    expect(compile(orders.replace('"True"', '"False"'))).toEqual([]);
    expect(compile(orders.replace("podIP: 10.0.0.1", 'podIP: ""'))).toEqual([]);
  });

  it("keep a terminating pod for as long as it is ready", () => {
    const terminating = orders.replace("name: orders-1", 'name: orders-1, deletionTimestamp: "2026-01-01T00:00:00Z"');
    expect(compile(terminating)?.map(({ state }) => state)).toEqual(["terminating"]);
    expect(compile(terminating.replace('"True"', '"False"'))).toEqual([]);
  });

  it("contain pods that are not ready if the Service publishes them", () => {
    const service = serviceYaml("orders").replace("spec: {", "spec: {publishNotReadyAddresses: true, ");
    const notReady = orders.replace('"True"', '"False"');
    expect(compile(notReady, service)).toHaveLength(1);
    const terminating = notReady.replace("name: orders-1", 'name: orders-1, deletionTimestamp: "2026-01-01T00:00:00Z"');
    expect(compile(terminating, service)?.map(({ state }) => state)).toEqual(["ready"]);
    expect(compile(notReady.replace("podIP:", "phase: Failed, podIP:"), service)).toEqual([]);
  });

  it("resolve a named target port in each pod", () => {
    expect(compile(orders, serviceYaml("orders", "port: 80, targetPort: web"))?.[0]?.address).toBe("10.0.0.1:8080");
    expect(compile(orders, serviceYaml("orders", "port: 80, targetPort: other"))).toEqual([]);
    expect(compile(orders, serviceYaml("orders", "port: 80"))?.[0]?.address).toBe("10.0.0.1:80");
  });

  it("put an IPv6 address in brackets", () => {
    expect(compile(podYaml("orders-1", "orders", '"fd00::1"'))?.[0]?.address).toBe("[fd00::1]:8080");
  });
});

describe("Destinations", () => {
  it("lead to the Service itself unless a policy says otherwise", () => {
    const pipeline = new Recorded(serviceYaml("orders", "name: http, port: 80"));
    expect(pipeline.snapshot.get("destination", "orders.shop.svc.cluster.local:80")?.resource).toEqual({
      kind: "destination",
      value: {
        name: "orders.shop.svc.cluster.local:80",
        service: { namespace: "shop", name: "orders" },
        protocol: "http1",
        routes: [
          {
            name: "default",
            matches: [],
            backends: [
              {
                endpoints: "orders.shop.svc.cluster.local:80",
                service: { namespace: "shop", name: "orders" },
                weight: 1,
              },
            ],
            timeout: { connectMs: 1_000 },
          },
        ],
      },
    });
  });

  it("don't exist for UDP ports and ExternalName Services", () => {
    expect(new Recorded(serviceYaml("a", "port: 53, protocol: UDP")).snapshot.list("destination")).toEqual([]);
    const alias = serviceYaml("a").replace("spec: {", "spec: {type: ExternalName, externalName: example.com, ");
    expect(new Recorded(alias).snapshot.list("destination")).toEqual([]);
  });
});

describe("Inbounds", () => {
  it("contain the ports that containers declare and those that Services point to, with the Services' protocols", () => {
    const yaml =
      deploymentYaml("orders", "name: grpc-api, containerPort: 8080}, {containerPort: 9090, name: http-admin") +
      serviceYaml("orders", "port: 80, targetPort: grpc-api, appProtocol: http") +
      serviceYaml("a", "port: 70, targetPort: 7070").replace("app: a", "app: orders");
    expect(new Recorded(yaml).inbound("orders")).toEqual([
      { port: 7070, protocol: "detect" },
      { port: 8080, protocol: "http1" },
      { port: 9090, protocol: "http1" },
    ]);
  });

  it("belong only to the identity of the workload's service account", () => {
    const { snapshot } = new Recorded(deploymentYaml("orders"));
    expect(snapshot.workloadIdentity("shop/orders")).toBe("spiffe://cluster.local/ns/shop/sa/orders");
    expect(snapshot.workloadIdentity("shop/other")).toBeUndefined();
  });
});
