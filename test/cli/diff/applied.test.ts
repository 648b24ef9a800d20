import { expect, it } from "vitest";
import { applyTo, pipelineAfter } from "../../../cli/diff/applied.ts";
import { diffPipelines } from "../../../cli/diff/resource-diff.ts";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { type KubeObject, readObject } from "../../../control-plane/source/kube-object.ts";

const now = "2026-01-02T03:04:05Z";

const domains = { clusterDomain: "cluster.local", trustDomain: "cluster.local" };
const apiVersions: Readonly<Record<string, string>> = {
  TimeoutPolicy: "tulle.dev/v1alpha1",
  RetryPolicy: "tulle.dev/v1alpha1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  Deployment: "apps/v1",
};

function object(kind: string, more: object = {}, meta: object = {}): KubeObject {
  const apiVersion = apiVersions[kind] ?? "v1";
  const metadata = { namespace: "shop", name: "orders", ...meta };
  const read = readObject({ apiVersion, kind, metadata, ...more }, { file: "f", lineOf: () => undefined });
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  return read.value;
}

it("keeps an object's uid and age, and applies its new content", () => {
  const known = object(
    "TimeoutPolicy",
    { spec: { request: "1s" }, status: { conditions: [] } },
    { uid: "u", creationTimestamp: "2025-01-01T00:00:00Z" },
  );
  const other = object("RetryPolicy");
  const { objects } = applyTo([other, known], [object("TimeoutPolicy", { spec: { request: "2s" } })], now);
  expect(objects).toHaveLength(2);
  expect(objects[1]).toMatchObject({
    spec: { request: "2s" },
    status: { conditions: [] },
    metadata: { uid: "u", creationTimestamp: "2025-01-01T00:00:00Z" },
  });
});

it("treats new objects as the youngest", () => {
  const { objects } = applyTo([], [object("TimeoutPolicy")], now);
  expect(objects[0]?.metadata.creationTimestamp).toBe(now);
});

it("keeps what the API server has given to a Service", () => {
  const known = object("Service", { spec: { clusterIP: "10.96.0.7", ports: [{ port: 80 }], selector: { app: "a" } } });
  const { objects } = applyTo([known], [object("Service", { spec: { ports: [{ port: 81 }] } })], now);
  expect(objects[0]?.spec).toEqual({ clusterIP: "10.96.0.7", ports: [{ port: 81 }] });
});

it("removes only labels and annotations that were applied before and are not now", () => {
  const before = JSON.stringify({ metadata: { labels: { gone: "1" }, annotations: { "tulle.dev/contract": "x" } } });
  const annotations = {
    "kubectl.kubernetes.io/last-applied-configuration": before,
    "tulle.dev/contract": "x",
    own: "1",
  };
  const known = object("Service", {}, { labels: { gone: "1", kept: "1" }, annotations });
  const [applied] = applyTo([known], [object("Service", {}, { labels: { fresh: "1" } })], now).objects;
  expect(Object.fromEntries(applied?.metadata.labels ?? [])).toEqual({ kept: "1", fresh: "1" });
  expect([...(applied?.metadata.annotations.keys() ?? [])]).toEqual([
    "kubectl.kubernetes.io/last-applied-configuration",
    "own",
  ]);
});

it("treats an HTTPRoute as unchanged if the API server has only filled in its path defaults", () => {
  const service = object("Service", { spec: { ports: [{ port: 80 }], selector: { app: "a" } } });
  const backendRefs = [{ name: "orders", port: 80 }];
  const headers = [{ name: "x-canary", value: "1" }];
  const route = (...rules: object[]) =>
    object("HTTPRoute", { spec: { parentRefs: [{ group: "", kind: "Service", name: "orders" }], rules } });
  const path = { type: "PathPrefix", value: "/" };
  const current = [service, route({ backendRefs, matches: [{ path, headers }] }, { backendRefs, matches: [{ path }] })];
  const before = new Pipeline(domains);
  before.apply({ applied: current, removed: [], problems: [] });
  const diffsWith = (...rules: object[]) => {
    const { objects } = applyTo(current, [route(...rules)], now);
    return diffPipelines(before, pipelineAfter(current, objects, [], domains));
  };
  expect(diffsWith({ backendRefs, matches: [{ headers }] }, { backendRefs })).toEqual([]);
  expect(diffsWith({ backendRefs, matches: [{ headers }] })).toHaveLength(1);
});

it("leaves the valid version of a policy in force if the new one is invalid, and says what is wrong", () => {
  const targetRefs = [{ kind: "Service", name: "orders" }];
  const policy = (request: string) => object("TimeoutPolicy", { spec: { targetRefs, request } });
  const current = [object("Service", { spec: { ports: [{ port: 80 }], selector: { app: "a" } } }), policy("1s")];
  const after = (request: string) => {
    const pipeline = pipelineAfter(current, applyTo(current, [policy(request)], now).objects, [], domains);
    const told = pipeline.snapshot.get("destination", "orders.shop.svc.cluster.local:80")?.resource;
    const requestMs = told?.kind === "destination" ? told.value.routes[0]?.timeout.requestMs : undefined;
    return [requestMs, pipeline.index.problems().map(({ path }) => path)];
  };
  expect(after("2s")).toEqual([2_000, []]);
  expect(after("soon")).toEqual([1_000, ["spec.request"]]);
});

it("leaves out pods, and objects that create them", () => {
  const { objects, ignored } = applyTo([], [object("Deployment"), object("Pod"), object("Service")], now);
  expect(objects.map(({ kind }) => kind)).toEqual(["Service"]);
  expect(ignored.map(({ kind }) => kind)).toEqual(["Deployment", "Pod"]);
});
