/** Who may call what: random policies and callers, told by `explain` and carried out by the layer of the called sidecar. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { describeRequest } from "../../../cli/explain/described-request.ts";
import { explain } from "../../../cli/explain/explanation.ts";
import { pipelineFacts } from "../../../cli/explain/pipeline-facts.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import type { InboundPort } from "../../../model/resources.ts";
import { authorize } from "../../../sidecar/policy/authorize.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";
import { changeOf, serviceYaml } from "../../support/manifests.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const meshes = 400;
const requestsPerMesh = 25;

/** Few names, so that rules often match. */
const caller = fc.oneof(
  fc.record({ identity: fc.constantFrom("web", "admin").map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`) }),
  fc.record({ namespace: fc.constantFrom("shop", "client") }),
  fc.record({ trustDomain: fc.constantFrom("cluster.local", "elsewhere") }),
);
const path = fc.oneof(
  fc.record({ type: fc.constantFrom("Exact", "PathPrefix"), value: fc.constantFrom("/", "/a", "/a/b") }),
  fc.record({ type: fc.constant("RegularExpression"), value: fc.constantFrom("/a.*", "/(a|b)") }),
);
const rule = fc.record(
  {
    from: fc.array(caller, { minLength: 1, maxLength: 2 }),
    methods: fc.uniqueArray(fc.constantFrom("GET", "POST"), { minLength: 1 }),
    paths: fc.array(path, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const policy = fc.record(
  {
    action: fc.constantFrom("allow", "deny"),
    mode: fc.constantFrom("enforce", "audit"),
    mtls: fc.constantFrom("strict", "permissive"),
    rules: fc.array(rule, { maxLength: 2 }),
    everywhere: fc.boolean(),
  },
  { requiredKeys: ["rules", "everywhere"] },
);
const request = fc.record({
  method: fc.constantFrom("GET", "POST"),
  path: fc.constantFrom("/", "/a", "/a/b", "/b", "/ab", "/a%2Fb", "/a/../b", "//a"),
  from: fc.constantFrom("shop/web", "shop/admin", "client/web", "client"),
});

type Sent = typeof request extends fc.Arbitrary<infer T> ? T : never;

it("predicts for 10,000 requests whether the called sidecar admits them", () => {
  const verdicts = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(policy, { maxLength: 3 }),
      fc.array(request, { minLength: requestsPerMesh, maxLength: requestsPerMesh }),
      (policies, all) => {
        const pipeline = meshOf(policies);
        for (const sent of all) {
          const told = toldOf(pipeline, sent);
          expect(told.access).toBe(doneWith(pipeline, sent, told.identity));
          verdicts.set(told.access, (verdicts.get(told.access) ?? 0) + 1);
        }
      },
    ),
    { numRuns: meshes },
  );
  expect([...verdicts.values()].reduce((sum, count) => sum + count, 0)).toBe(meshes * requestsPerMesh);
  expect([...verdicts.keys()].sort((a, b) => (a < b ? -1 : 1))).toEqual([
    "admitted",
    "forbidden",
    "path_ambiguous",
    "plaintext",
  ]);
}, 60_000);

const workload = (namespace: string, name: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: ${namespace}, name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {serviceAccountName: ${name}, containers: [{name: app, ports: [{containerPort: 8080}]}]}
---`;

function meshOf(policies: readonly (typeof policy extends fc.Arbitrary<infer T> ? T : never)[]): Pipeline {
  const pipeline = new Pipeline(domains);
  const workloads = [workload("shop", "web"), workload("shop", "admin"), workload("client", "web")];
  const objects = policies.map(({ everywhere, ...spec }, place) => ({
    apiVersion: "tulle.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: `policy-${place}`, namespace: "shop" },
    spec: { ...(!everywhere && { targetRefs: [{ kind: "Service", name: "orders" }] }), ...spec },
  }));
  const texts = objects.map((object) => `\n${JSON.stringify(object)}\n---`);
  pipeline.apply(changeOf([workload("shop", "orders"), ...workloads, `\n${serviceYaml("orders")}`, ...texts].join("")));
  expect(pipeline.index.problems()).toEqual([]);
  return pipeline;
}

function toldOf(pipeline: Pipeline, { method, path: target, from }: Sent) {
  const asked = describeRequest({ method, url: `http://orders.shop${target}`, from });
  const { backends, callerIdentity: identity } = explain(pipelineFacts(pipeline, domains), asked);
  const [server] = backends[0]?.server ?? [];
  if (server === undefined) throw new Error("nobody is behind orders");
  return { access: server.access, identity };
}

function doneWith(pipeline: Pipeline, { method, path: target }: Sent, peer: string | undefined): string {
  const upstream = new RecordingUpstream();
  const caller = new RecordingCaller();
  const seen = { policy: "" };
  const counts = { refused: (by: string) => void (seen.policy = by), wouldRefuse() {} };
  const exchange = exchangeOf({ method, path: target });
  exchange.peer = peer;
  exchange.target = portOf(pipeline);
  authorize({ ...domains, counts })(upstream.service)(exchange, caller);
  const [call] = caller.calls;
  if (call === undefined) return "admitted";
  return seen.policy === "mtls" ? "plaintext" : String(call[1]);
}

function portOf({ snapshot }: Pipeline): InboundPort {
  const resource = snapshot.get("inbound", "shop/orders")?.resource;
  const port = resource?.kind === "inbound" ? resource.value.ports.find((each) => each.port === 8_080) : undefined;
  if (port === undefined) throw new Error("orders has no port");
  return port;
}
