import { expect, it } from "vitest";
import { liveFacts } from "../../../cli/explain/live-facts.ts";
import type { Destination } from "../../../model/resources.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const service = { namespace: "shop", name: "orders" };

function destination(name: string, endpoints: string): { kind: "destination"; version: string; value: Destination } {
  const backends = [{ endpoints, service, weight: 1 }];
  return {
    kind: "destination",
    version: "1",
    value: { name, service, protocol: "http1", routes: [{ name: "default", matches: [], backends, timeout: {} }] },
  };
}

function facts(...resources: ReturnType<typeof destination>[]) {
  return liveFacts({ identity: "spiffe://cluster.local/ns/shop/sa/web", resources, breakers: [] }, domains);
}

it("knows a Service by its name if the redirected application has dialled its address", () => {
  const byAddress = destination("10.96.0.5:80", "orders.shop.svc.cluster.local:80");
  expect(facts(byAddress).destination("orders.shop.svc.cluster.local:80")).toBe(byAddress.value);
  expect(facts(byAddress).destination("orders.shop.svc.cluster.local:81")).toBeUndefined();
});

it("does not mistake one of its pods for the Service", () => {
  const pod = destination("10.244.0.7:80", "10.244.0.7:80");
  expect(facts(pod).destination("orders.shop.svc.cluster.local:80")).toBeUndefined();
});
