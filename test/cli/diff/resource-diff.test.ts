import { expect, it } from "vitest";
import { diffHeld } from "../../../cli/diff/resource-diff.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const dns = "orders.shop.svc.cluster.local:80";
const address = "10.96.0.7:80";

/** A Service with an address of its own, a pod of it, and a policy. */
function pipeline(request: string): Pipeline {
  const made = new Pipeline(domains);
  const policy = `
apiVersion: tulle.dev/v1alpha1
kind: TimeoutPolicy
metadata: { namespace: shop, name: orders }
spec: { targetRefs: [{ kind: Service, name: orders }], request: ${request} }
`;
  const service = serviceYaml("orders").replace("spec: {", "spec: {clusterIP: 10.96.0.7, ");
  made.apply(changeOf(service + podYaml("orders-1", "orders", "10.0.0.1") + policy));
  return made;
}

const destination = (name: string) => ({ kind: "destination", name }) as const;

it("reports one difference for a Service that some workloads know by name and others by address", () => {
  const holdings = { "shop/web": [destination(address)], "shop/load": [destination(dns)], "shop/other": [] };
  const diffs = diffHeld(pipeline("5s"), pipeline("2s"), holdings);
  expect(diffs).toEqual([
    {
      kind: "destination",
      name: dns,
      change: "changed",
      fields: [{ path: "routes[default].timeout.requestMs", before: 5_000, after: 2_000 }],
      workloads: ["shop/load", "shop/web"],
    },
  ]);
});

it("names nobody if nobody holds the resource, and a workload for its own Inbound", () => {
  const before = pipeline("5s");
  const after = pipeline("2s");
  after.apply(
    changeOf(`
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: { namespace: shop, name: all }
spec: { mtls: strict }
`),
  );
  const told = diffHeld(before, after, {}).map(({ kind, name, workloads }) => [kind, name, workloads]);
  expect(told).toEqual([
    ["destination", dns, []],
    ["inbound", "shop/orders-1", ["shop/orders-1"]],
  ]);
});
