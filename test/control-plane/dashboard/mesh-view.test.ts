import { expect, it } from "vitest";
import { meshView } from "../../../control-plane/dashboard/mesh-view.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

const traffic = { windowMs: 10_000, edges: [], latencies: [], breakers: [], lost: [], certificates: new Map() };

it("names the Services that a sidecar's pod is an endpoint of, whatever its workload is called", () => {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  const twoPorts = "name: http, port: 80, targetPort: 8080}, {name: metrics, port: 90, targetPort: 9090";
  const alias = serviceYaml("pay").replace("app: pay", "app: payments");
  pipeline.apply(changeOf(serviceYaml("payments", twoPorts) + alias + podYaml("ledger-1", "payments", "10.0.0.1")));
  const peer = (pod: string, workload: string) =>
    ({ namespace: "shop", pod, workload, identity: "", proxyVersion: "0.1.0" }) as const;
  const { sidecars } = meshView({
    pipeline,
    policies: [],
    routes: [],
    problems: [],
    peers: [peer("web-1", "web"), peer("ledger-1", "ledger")],
    traffic,
    traces: [],
  });
  expect(sidecars).toMatchObject([
    { pod: "shop/ledger-1", workload: "shop/ledger", services: ["shop/pay", "shop/payments"] },
    { pod: "shop/web-1", workload: "shop/web", services: [] },
  ]);
});
