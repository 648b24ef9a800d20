import { expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { changeOf, serviceYaml } from "../../support/manifests.ts";

const names = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };

function route(name: string, rules: string, kind = "HTTPRoute"): string {
  const parents = '[{group: "", kind: Service, name: a}]';
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {namespace: shop, name: ${name}}
spec: {parentRefs: ${parents}, rules: ${rules}}
---
`;
}

function reasons(pipeline: Pipeline): Record<string, string[][]> {
  const statuses = pipeline.routeStatuses(() => undefined);
  return Object.fromEntries(
    statuses.map(({ name, parents }) => [
      name,
      parents.map(({ conditions }) => conditions.map(({ reason }) => reason)),
    ]),
  );
}

function routesOf(pipeline: Pipeline): string[] {
  const resource = pipeline.snapshot.get("destination", "a.shop.svc.cluster.local:80")?.resource;
  return resource?.kind === "destination" ? resource.value.routes.map(({ name }) => name) : [];
}

const toItself = "[{backendRefs: [{name: a, port: 80}]}]";

it("keeps a route's last valid version in force, and says so", () => {
  const pipeline = new Pipeline(names);
  pipeline.apply(changeOf(serviceYaml("a") + route("r", toItself)));
  pipeline.apply(changeOf(route("r", "[{timeouts: {request: soon}}]")));
  const [status] = pipeline.routeStatuses(() => undefined);
  expect(status?.parents[0]?.conditions).toMatchObject([{ type: "Accepted", status: "False", reason: "Invalid" }]);
  expect(status?.problems).toMatchObject([{ path: "spec.rules[0].timeouts.request", severity: "error" }]);
  expect(routesOf(pipeline)).toEqual(["HTTPRoute shop/r rule 0"]);
});

it("returns the port when a route is deleted", () => {
  const pipeline = new Pipeline(names);
  const http = route("http", toItself);
  pipeline.apply(changeOf(serviceYaml("a") + http + route("grpc", toItself, "GRPCRoute")));
  expect(routesOf(pipeline)).toEqual(["GRPCRoute shop/grpc rule 0"]);
  expect(reasons(pipeline)["http"]).toEqual([["Conflicted", "ResolvedRefs", "NotInForce"]]);
  pipeline.apply(changeOf("", ["GRPCRoute.gateway.networking.k8s.io shop/grpc"]));
  expect(routesOf(pipeline)).toEqual(["HTTPRoute shop/http rule 0"]);
  expect(reasons(pipeline)).toEqual({ http: [["Accepted", "ResolvedRefs", "NoSubscribers"]] });
  pipeline.apply(changeOf("", ["HTTPRoute.gateway.networking.k8s.io shop/http"]));
  expect(routesOf(pipeline)).toEqual(["default"]);
});

it("resolves a backend as soon as its Service exists", () => {
  const pipeline = new Pipeline(names);
  pipeline.apply(changeOf(serviceYaml("a") + route("r", "[{backendRefs: [{name: b, port: 80}]}]")));
  expect(reasons(pipeline)["r"]).toEqual([["Accepted", "BackendNotFound", "NoSubscribers"]]);
  pipeline.apply(changeOf(serviceYaml("b")));
  expect(reasons(pipeline)["r"]).toEqual([["Accepted", "ResolvedRefs", "NoSubscribers"]]);
});

it("counts the acks of the Destinations that carry the route", () => {
  const pipeline = new Pipeline(names);
  pipeline.apply(changeOf(serviceYaml("a") + route("r", toItself)));
  const asked: string[] = [];
  const [status] = pipeline.routeStatuses(({ kind, name }) => {
    asked.push(`${kind} ${name}`);
    return { subscribers: 2, acked: 1, nacks: [{ pod: "p", reason: "no" }], laggards: [] };
  });
  expect(asked).toEqual(["destination a.shop.svc.cluster.local:80"]);
  expect(status?.parents[0]?.conditions.at(-1)).toMatchObject({ type: "Programmed", reason: "Refused" });
});

it("recompiles only the Service that a route is bound to", () => {
  const compiled: string[] = [];
  const pipeline = new Pipeline({
    ...names,
    onCompile: (kind, namespace, name) => compiled.push(`${kind} ${namespace}/${name}`),
  });
  pipeline.apply(changeOf(["a", "b", "c"].map((name) => serviceYaml(name)).join("")));
  compiled.length = 0;
  pipeline.apply(changeOf(route("r", toItself)));
  expect(compiled).toEqual(["endpoints shop/a", "destination shop/a"]);
});

it("reports that an experimental field has no effect, and applies the rest", () => {
  const pipeline = new Pipeline(names);
  const rules = "[{backendRefs: [{name: a, port: 80}], sessionPersistence: {sessionName: s, type: Cookie}}]";
  pipeline.apply(changeOf(serviceYaml("a") + route("r", rules)));
  const [status] = pipeline.routeStatuses(() => undefined);
  expect(status?.parents[0]?.conditions[0]).toEqual({
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "spec.rules[0].sessionPersistence: has no effect in this version",
  });
  expect(status?.problems).toMatchObject([{ path: "spec.rules[0].sessionPersistence", severity: "warning" }]);
  expect(routesOf(pipeline)).toEqual(["HTTPRoute shop/r rule 0"]);
});
