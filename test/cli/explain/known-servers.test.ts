import { expect, it } from "vitest";
import { knownServers, type ServingPod } from "../../../cli/explain/known-servers.ts";
import { pipelineFacts } from "../../../cli/explain/pipeline-facts.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const strict = { mtls: "strict" } as const;

function serving(pod: string, policies: object): ServingPod {
  const ports = [{ port: 5_432, protocol: "opaque" as const, ...policies }];
  return { pod: `shop/${pod}`, port: 5_432, inbound: { name: "shop/db", ports } };
}

it("lists a workload once if all of its pods have the same policies", () => {
  expect(knownServers([serving("db-0", strict), serving("db-1", strict)])).toMatchObject([
    { workload: "shop/db", port: 5_432, policies: strict },
  ]);
  expect(knownServers([serving("db-0", strict)])[0]?.pods).toBeUndefined();
});

it("names the pods if they differ", () => {
  const servers = knownServers([serving("db-1", {}), serving("db-0", strict), serving("db-2", {})]);
  expect(servers.map(({ policies, pods }) => [policies.mtls, pods])).toEqual([
    [undefined, ["shop/db-1", "shop/db-2"]],
    ["strict", ["shop/db-0"]],
  ]);
});

it("knows from YAML which pods of one workload a policy selects", () => {
  const named = (pod: string, role: string) =>
    podYaml(pod, "db", `10.0.0.${pod.length}`)
      .replace("labels: {app: db}", `labels: {app: db, role: ${role}}`)
      .replace('proxy-version: "0.1.0"}', 'proxy-version: "0.1.0", tulle.dev/workload: db}');
  const policy = `
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: {namespace: shop, name: primary}
spec: {selector: {matchLabels: {role: primary}}, rules: []}
`;
  const pipeline = new Pipeline(domains);
  pipeline.apply(changeOf(serviceYaml("db") + named("db-0", "primary") + named("db-10", "replica") + policy));
  const endpoints = "db.shop.svc.cluster.local:80";
  const service = { namespace: "shop", name: "db" };
  const servers = pipelineFacts(pipeline, domains).serversOf({ endpoints, service, weight: 1 });
  expect(servers.map(({ pods, policies }) => [pods, policies.access?.length ?? 0])).toEqual([
    [["shop/db-0"], 1],
    [["shop/db-10"], 0],
  ]);
});
