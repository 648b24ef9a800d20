import fc from "fast-check";
import { expect, it } from "vitest";
import { Pipeline } from "../../../control-plane/pipeline.ts";
import { type KubeObject, objectKey } from "../../../control-plane/source/kube-object.ts";
import { changeOf, deploymentYaml, podYaml, serviceYaml } from "../../support/manifests.ts";

function policy(kind: string, name: string, spec: string, namespace = "shop"): string {
  return `{apiVersion: tulle.dev/v1alpha1, kind: ${kind}, metadata: {namespace: ${namespace}, name: ${name}}, spec: ${spec}}`;
}

function route(kind: string, name: string, spec: string): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {namespace: shop, name: ${name}}, spec: {${spec}}}`;
}

/** Each line is one object in the forms that it may take. */
const forms: readonly (readonly string[])[] = [
  [serviceYaml("a"), serviceYaml("a", "port: 81"), serviceYaml("a", "port: 80, name: http}, {port: 81, name: grpc")],
  [
    serviceYaml("d").replace("spec: {", "spec: {clusterIP: 10.96.0.5, "),
    serviceYaml("d", "port: 81").replace("spec: {", "spec: {clusterIP: 10.96.0.5, "),
    serviceYaml("d").replace("spec: {", "spec: {clusterIP: 10.96.0.6, "),
  ],
  [serviceYaml("e").replace("spec: {selector: {app: e}", "spec: {clusterIP: 10.96.0.5, selector: {app: a}")],
  [serviceYaml("b"), serviceYaml("b", "port: 80, targetPort: web"), serviceYaml("b").replace("app: b", "app: a")],
  [
    podYaml("p", "a", "10.0.0.1"),
    podYaml("p", "b", "10.0.0.1"),
    podYaml("p", "a", "10.0.0.2").replace("True", "False"),
  ],
  [podYaml("q", "a", "10.0.0.3"), podYaml("q", "c", "10.0.0.3")],
  [deploymentYaml("a"), deploymentYaml("a", "name: web, containerPort: 9090")],
  [
    policy("TimeoutPolicy", "t1", "{request: 1s}"),
    policy("TimeoutPolicy", "t1", "{targetRefs: [{kind: Service, name: a}]}"),
  ],
  [
    policy("TimeoutPolicy", "t2", "{request: 2s, targetRefs: [{kind: Service, name: a, sectionName: grpc}]}"),
    policy("TimeoutPolicy", "t2", "{request: 3s, targetRefs: [{kind: Service, name: a}, {kind: Service, name: b}]}"),
  ],
  [policy("RetryPolicy", "r", "{}", "tulle-system"), policy("RetryPolicy", "r", "{maxAttempts: 5}", "tulle-system")],
  [
    policy("AccessPolicy", "x", "{rules: [], targetRefs: [{kind: Service, name: a}]}"),
    policy("AccessPolicy", "x", "{rules: [], ports: [8080]}"),
    policy("AccessPolicy", "x", "{rules: [], targetRefs: [{kind: Service, name: b, sectionName: '80'}]}"),
  ],
  [
    policy("FaultInjection", "f", "{until: '2030-01-01T00:00:00Z', abort: {status: 503}}"),
    policy(
      "FaultInjection",
      "f",
      "{until: '2030-01-01T00:00:00Z', delay: {duration: 1s}, targetRefs: [{kind: Service, name: a}]}",
    ),
  ],
  [
    policy("TelemetryPolicy", "m", "{samplingRatio: 0.5}"),
    policy("TelemetryPolicy", "m", "{samplingRatio: 1, targetRefs: [{kind: Service, name: a}]}"),
  ],
  [
    policy("RateLimit", "l", "{limits: [{requests: 1}]}"),
    policy("RateLimit", "l", "{limits: [{requests: 1}], ports: [9090], selector: {matchLabels: {app: a}}}"),
  ],
  [
    policy("AccessPolicy", "y", "{rules: []}", "tulle-system"),
    policy("AccessPolicy", "y", "{rules: [], selector: {matchLabels: {app: a}}}", "tulle-system"),
  ],
  [policy("CircuitBreaker", "c", "{}"), policy("CircuitBreaker", "c", "{targetRefs: [{kind: Service, name: b}]}")],
  [
    policy("TrafficSplit", "s", "{service: a, backends: [{service: b, weight: 1}, {service: a, weight: 0}]}"),
    policy("TrafficSplit", "s", "{service: b, port: 80, backends: [{service: a, port: 81, weight: 1}]}"),
    policy("TrafficSplit", "s", "{service: a, backends: [{namespace: shop2, service: x, weight: 1}]}"),
  ],
  [
    route(
      "HTTPRoute",
      "h",
      "parentRefs: [{group: '', kind: Service, name: a}], rules: [{backendRefs: [{name: b, port: 80}]}]",
    ),
    route(
      "HTTPRoute",
      "h",
      "parentRefs: [{group: '', kind: Service, name: b, port: 80}, {name: edge}], rules: [{name: r}]",
    ),
    route("HTTPRoute", "h", "parentRefs: [{name: edge}]"),
  ],
  [
    route(
      "GRPCRoute",
      "g",
      "parentRefs: [{group: '', kind: Service, name: a, port: 80}], rules: [{backendRefs: [{name: a, port: 80}]}]",
    ),
    route(
      "GRPCRoute",
      "g",
      "parentRefs: [{group: '', kind: Service, name: x, namespace: shop2}], rules: [{backendRefs: [{namespace: shop2, name: x, port: 80}]}]",
    ),
  ],
  [
    policy("RetryPolicy", "on-route", "{targetRefs: [{kind: HTTPRoute, name: h}, {kind: GRPCRoute, name: g}]}"),
    policy("RetryPolicy", "on-route", "{maxAttempts: 9, targetRefs: [{kind: HTTPRoute, name: h, sectionName: r}]}"),
  ],
  [serviceYaml("x").replace("namespace: shop", "namespace: shop2")],
  [
    "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {namespace: shop2, name: g}, spec: " +
      "{from: [{group: tulle.dev, kind: TrafficSplit, namespace: shop}], to: [{group: '', kind: Service}]}}",
  ],
];

const objects: readonly (readonly KubeObject[])[] = forms.map((of) => of.flatMap((yaml) => changeOf(yaml).applied));

/** All that can be seen of a pipeline from outside. */
function contentOf(pipeline: Pipeline) {
  const { snapshot } = pipeline;
  const resources = (["destination", "endpoints", "inbound"] as const).flatMap((kind) =>
    snapshot.list(kind).map(({ name, version }) => [kind, name, version, snapshot.workloadIdentity(name)]),
  );
  const [statuses, routes] = [pipeline.policyStatuses(() => undefined), pipeline.routeStatuses(() => undefined)];
  return { resources, statuses, routes };
}

/** Somebody dials a few addresses, whoever has them. */
function empty(): Pipeline {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  for (const name of ["10.96.0.5:80", "10.96.0.6:80", "10.0.0.1:8080", "10.0.0.3:8080"])
    for (const kind of ["destination", "endpoints"] as const) pipeline.setWanted(kind, name, true);
  return pipeline;
}

/** Which object next, and in which form; beyond the last form: it is removed. */
const steps = fc.array(fc.tuple(fc.nat(forms.length - 1), fc.nat(3)), { maxLength: 40 });

it("gives, after any changes, the same result as compiling the same objects at once", () => {
  fc.assert(
    fc.property(steps, (changes) => {
      const stepwise = empty();
      const present = new Map<number, KubeObject>();
      for (const [which, form] of changes) {
        const object = objects[which]?.[form];
        const before = present.get(which);
        if (object !== undefined) present.set(which, object);
        else present.delete(which);
        const removed = object === undefined && before !== undefined ? [objectKey(before)] : [];
        stepwise.apply({ applied: object === undefined ? [] : [object], removed, problems: [] });
      }
      const atOnce = empty();
      atOnce.apply({ applied: [...present.values()], removed: [], problems: [] });
      // An invalid form would leave its object as it was before, which only a pipeline that saw it knows.
      expect(stepwise.index.problems()).toEqual([]);
      expect(contentOf(stepwise)).toEqual(contentOf(atOnce));
    }),
    { numRuns: 500 },
  );
});

it("notifies its listeners of every change, and of nothing else", () => {
  fc.assert(
    fc.property(steps, (changes) => {
      const pipeline = empty();
      const known = new Map<string, string | undefined>();
      let idle = 0;
      pipeline.snapshot.watch((kind, name) => {
        const version = pipeline.snapshot.get(kind, name)?.version;
        if (known.get(`${kind} ${name}`) === version) idle++;
        known.set(`${kind} ${name}`, version);
      });
      for (const [which, form] of changes) {
        const object = objects[which]?.[form];
        const [any] = objects[which] ?? [];
        const removed = object === undefined && any !== undefined ? [objectKey(any)] : [];
        pipeline.apply({ applied: object === undefined ? [] : [object], removed, problems: [] });
      }
      expect(idle).toBe(0);
      for (const kind of ["destination", "endpoints", "inbound"] as const)
        for (const { name, version } of pipeline.snapshot.list(kind))
          expect(known.get(`${kind} ${name}`)).toBe(version);
    }),
    { numRuns: 50 },
  );
});
