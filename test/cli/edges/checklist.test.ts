import { expect, it } from "vitest";
import { callEdges } from "../../../cli/edges/call-edges.ts";
import { checklistOf } from "../../../cli/edges/checklist.ts";
import { pipelineFacts } from "../../../cli/explain/pipeline-facts.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const strict = `
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: { namespace: shop, name: orders }
spec: { mtls: strict, rules: [{ from: [{ namespace: shop }] }] }
`;

function authentication(mutualTlsShare?: number): string {
  const pipeline = new Pipeline(domains);
  const change = changeOf(serviceYaml("orders") + podYaml("orders-1", "orders", "10.0.0.1") + strict);
  pipeline.apply(change);
  const edge = { from: "shop/web", to: "shop/orders", requestsPerSecond: 1, successShare: 1 };
  const seen = { ...edge, ...(mutualTlsShare !== undefined && { mutualTlsShare }) };
  const { points } = checklistOf(seen, pipelineFacts(pipeline, domains), change.applied);
  const found = points.find(({ point }) => point === "authentication");
  return `${found?.state}: ${found?.says}`;
}

it("reports authentication as missing if requests are observed in the clear, whatever is configured", () => {
  const there = "present: mutual TLS only; AccessPolicy shop/orders";
  expect([authentication(), authentication(1)]).toEqual([there, there]);
  expect(authentication(0.75)).toMatch(/^missing: 25 % of its requests go in the clear/);
});

it("averages the mutual TLS of a Service's backends, weighted by their requests", () => {
  const edge = (backend: string, requestsPerSecond: number, mutualTlsShare?: number) => ({
    from: "shop/web",
    service: "shop/orders",
    backend,
    requestsPerSecond,
    successShare: 1,
    ...(mutualTlsShare !== undefined && { mutualTlsShare }),
  });
  const shareOf = (...edges: ReturnType<typeof edge>[]) => callEdges({ edges, latencies: [] })[0]?.mutualTlsShare;
  expect(shareOf(edge("a", 30, 1), edge("b", 10, 0))).toBe(0.75);
  expect(shareOf(edge("a", 30, 1), edge("", 10))).toBe(1);
  expect(shareOf(edge("", 10))).toBeUndefined();
});
