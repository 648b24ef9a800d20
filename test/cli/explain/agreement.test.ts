/** An explanation is worth something only if the mesh then does it: random meshes and requests, told and carried out. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { describeRequest } from "../../../cli/explain/described-request.ts";
import { explain } from "../../../cli/explain/explanation.ts";
import { pipelineFacts } from "../../../cli/explain/pipeline-facts.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { MeshError } from "../../../model/errors.ts";
import type { Destination, Endpoints } from "../../../model/resources.ts";
import { grpcConditions } from "../../../model/retry-verdict.ts";
import type { ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exchangeOf, responseHead } from "../../support/exchange.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";
import { type LiveDecision, LiveStack } from "./live-stack.ts";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const meshes = 500;
const requestsPerMesh = 20;

/** Few names and values, so that conditions often hold. */
const value = fc.constantFrom("a", "b", "ab");
const path = fc.constantFrom("/", "/a", "/a/b", "/a/", "/b", "/ab", "/a%2Fb", "/a/../b", "/A");
const method = fc.constantFrom("GET", "POST");
const weights = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 2 });

const headerMatch = fc.record({
  name: fc.constantFrom("x-a", "x-b"),
  type: fc.constantFrom("Exact", "RegularExpression"),
  value: fc.constantFrom("a", "b", "a|b", "a.*"),
});
const pathMatch = fc.oneof(
  fc.record({ type: fc.constantFrom("Exact", "PathPrefix"), value: fc.constantFrom("/", "/a", "/a/b", "/b") }),
  fc.record({ type: fc.constant("RegularExpression"), value: fc.constantFrom("/a.*", "/(a|b)") }),
);
const queryMatch = fc.record({ name: fc.constant("q"), type: fc.constant("Exact"), value });
/** What TrafficSplit can ask for too; each of its entries asks for something. */
const splitMatch = fc
  .record({ path: pathMatch, method, headers: fc.tuple(headerMatch) }, { requiredKeys: [] })
  .filter((asks) => Object.keys(asks).length > 0);

const match = fc.record(
  {
    path: pathMatch,
    method,
    headers: fc.uniqueArray(headerMatch, { minLength: 1, maxLength: 2, selector: ({ name }) => name }),
    queryParams: fc.tuple(queryMatch),
  },
  { requiredKeys: [] },
);

const httpRoute = (namespace: string) =>
  fc
    .record({
      name: fc.constantFrom("one", "two"),
      rules: fc.array(fc.record({ matches: fc.array(match, { maxLength: 3 }), weights }), {
        minLength: 1,
        maxLength: 3,
      }),
    })
    .map(({ name, rules }) => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name, namespace },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "catalog", namespace: "shop" }],
        rules: rules.map(({ matches, weights: [one, two] }) => ({
          ...(matches.length > 0 && { matches }),
          backendRefs: [
            { name: "v1", namespace: "shop", port: 80, weight: one },
            { name: "v2", namespace: "shop", port: 80, weight: two },
          ],
        })),
      },
    }));

const trafficSplit = fc
  .record({
    match: fc.array(fc.record({ match: splitMatch, weights }), { maxLength: 2 }),
    weights,
    sticky: fc.boolean(),
  })
  .map(({ match: entries, weights: shares, sticky }) => ({
    apiVersion: "tulle.dev/v1alpha1",
    kind: "TrafficSplit",
    metadata: { name: "catalog", namespace: "shop" },
    spec: {
      service: "catalog",
      match: entries.map((entry) => ({ ...entry.match, backends: backendsOf(entry.weights) })),
      backends: backendsOf(shares),
      ...(sticky && { sticky: { by: "header", name: "x-user" } }),
    },
  }));

function backendsOf(shares: readonly number[]) {
  return shares.map((weight, index) => ({ service: `v${index + 1}`, weight }));
}

const resource = (kind: string, spec: object) => ({
  apiVersion: "tulle.dev/v1alpha1",
  kind,
  metadata: { name: "catalog", namespace: "shop" },
  spec: { targetRefs: [{ kind: "Service", name: "catalog" }], ...spec },
});

const httpReasons = ["connect-failure", "connect-timeout", "refused-stream", "reset", "503", "429", "504", "5xx"];

/** No time to wait is near what is left to wait in, whatever the dice make of it. */
const retryPolicy = fc
  .record(
    {
      maxAttempts: fc.integer({ min: 1, max: 3 }),
      initialDelay: fc.constantFrom("0s", "25ms", "2s"),
      retryOn: fc.uniqueArray(fc.constantFrom(...httpReasons, ...Object.keys(grpcConditions)), {
        minLength: 1,
      }),
      retryNonIdempotent: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((spec) => resource("RetryPolicy", spec));
const timeoutPolicy = fc.constantFrom("1s", "30s", "0s").map((request) => resource("TimeoutPolicy", { request }));
/** Of one backend or both, so that who is chosen matters. */
const idempotencyPolicy = fc
  .record({ methods: fc.constantFrom(["POST"], ["PUT", "PATCH"]), names: fc.subarray(["v1", "v2"], { minLength: 1 }) })
  .map(({ methods, names }) =>
    resource("IdempotencyPolicy", { methods, targetRefs: names.map((name) => ({ kind: "Service", name })) }),
  );
const ofCatalog = fc
  .tuple(fc.option(retryPolicy), fc.option(timeoutPolicy), fc.option(idempotencyPolicy))
  .map((all) => all.filter((one) => one !== null));

const routes = fc.oneof(
  fc.tuple(trafficSplit),
  fc.uniqueArray(httpRoute("shop"), { minLength: 1, maxLength: 2, selector: ({ metadata }) => metadata.name }),
  fc.tuple(httpRoute("client"), trafficSplit),
);

/** As explanations call them, and what a sidecar then sees. */
const outcomes: Readonly<Record<string, (response: ResponseSink) => void>> = {
  "connect-failure": (response) => response.abortResponse(new MeshError("connect_failed", "", unprocessed)),
  "connect-timeout": (response) => response.abortResponse(new MeshError("connect_timeout", "", unprocessed)),
  "refused-stream": (response) => response.abortResponse(new MeshError("refused_stream", "", unprocessed)),
  reset: (response) => response.abortResponse(new MeshError("upstream_reset", "")),
  timeout: (response) => response.abortResponse(new MeshError("try_timeout", "")),
  ...Object.fromEntries(
    [429, 500, 502, 503, 504].map((status) => [
      String(status),
      (response: ResponseSink) => {
        response.head(responseHead(status));
        response.endResponse();
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(grpcConditions).map(([name, status]) => [
      name,
      (response: ResponseSink) => {
        response.head(responseHead(200, { "grpc-status": String(status) }));
        response.endResponse();
      },
    ]),
  ),
};
const unprocessed = { processed: "unprocessed" } as const;

const request = fc.record({
  method,
  path,
  query: fc.constantFrom("", "?q=a", "?q=b&q=a", "?r=a"),
  headers: fc.array(fc.tuple(fc.constantFrom("x-a", "x-b", "x-user", "idempotency-key"), value), { maxLength: 3 }),
  from: fc.constantFrom("shop", "client"),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  isGrpc: fc.boolean(),
  outcome: fc.constantFrom(...Object.keys(outcomes)),
});

type Sent = typeof request extends fc.Arbitrary<infer T> ? T : never;

it("explains 10,000 requests under random policies exactly as the sidecar treats them", () => {
  let asked = 0;
  const taken = new Set<string>();
  const again = new Set<string | undefined>();
  fc.assert(
    fc.property(
      routes,
      ofCatalog,
      fc.array(request, { minLength: requestsPerMesh, maxLength: requestsPerMesh }),
      (objects, policies, all) => {
        const pipeline = meshOf([...objects, ...policies]);
        const live = new LiveStack(destinationOf(pipeline), endpointsOf(pipeline));
        for (const sent of all) {
          const told = toldOf(pipeline, sent);
          expect(told).toEqual(doneWith(live, sent));
          taken.add(told.route);
          again.add(told.again);
          asked++;
        }
      },
    ),
    { numRuns: meshes },
  );
  expect(asked).toBe(meshes * requestsPerMesh);
  expect(taken.size).toBeGreaterThan(10);
  expect(again).toEqual(new Set([undefined, "unprocessed", ...httpReasons, ...Object.keys(grpcConditions)]));
}, 120_000);

function meshOf(objects: readonly unknown[]): Pipeline {
  const pipeline = new Pipeline(domains);
  const services = ["catalog", "v1", "v2"]
    .map((name, index) => serviceYaml(name) + podYaml(`${name}-1`, name, `10.0.0.${index + 1}`))
    .join("");
  const grant = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {namespace: shop, name: clients}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: client}], to: [{group: "", kind: Service}]}
---`;
  pipeline.apply(changeOf(services + grant + objects.map((object) => `\n${JSON.stringify(object)}\n---`).join("")));
  expect(pipeline.index.problems()).toEqual([]);
  return pipeline;
}

/** The route and the backend that this throw of the dice leads to, by the explanation's shares; and what follows a failure. */
function toldOf(pipeline: Pipeline, sent: Sent): LiveDecision {
  const headers = fieldsOf(sent).map(([name, content]) => `${name}: ${content}`);
  const url = `http://catalog.shop${sent.path}${sent.query}`;
  const { route, backends, matches, tries } = explain(
    pipelineFacts(pipeline, domains),
    describeRequest({ method: sent.method, url, headers, from: sent.from }),
  );
  expect(matches.filter(({ verdict }) => verdict === "taken")).toHaveLength(route === undefined ? 0 : 1);
  let upTo = 0;
  const backend = backends.find(({ percent }) => {
    upTo += percent;
    return sent.random * 100 < upTo;
  });
  const verdict = tries.find(({ outcome }) => outcome === sent.outcome)?.verdict;
  const again = backend !== undefined && verdict?.retry ? { again: verdict.reason } : {};
  return { route: route?.name ?? "no_route", backend: backend?.service ?? "", ...again };
}

function doneWith(live: LiveStack, sent: Sent): LiveDecision {
  const exchange = exchangeOf({
    method: sent.method,
    path: `${sent.path}${sent.query}`,
    headers: new HeaderFields(fieldsOf(sent).flat()),
  });
  return live.decide(exchange, sent.from, sent.random, outcomes[sent.outcome] as (response: ResponseSink) => void);
}

function fieldsOf({ headers, isGrpc }: Sent): readonly (readonly [string, string])[] {
  return isGrpc ? [...headers, ["content-type", "application/grpc"]] : headers;
}

function endpointsOf({ snapshot }: Pipeline): Endpoints[] {
  return snapshot.list("endpoints").flatMap(({ resource: { kind, value } }) => (kind === "endpoints" ? [value] : []));
}

function destinationOf({ snapshot }: Pipeline): Destination {
  const resource = snapshot.get("destination", "catalog.shop.svc.cluster.local:80")?.resource;
  if (resource?.kind !== "destination") throw new Error("the mesh has no catalog");
  return resource.value;
}
