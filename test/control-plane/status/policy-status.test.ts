import { describe, expect, it } from "vitest";
import { allProblems, Pipeline } from "../../../control-plane/pipeline.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import type { PolicyStatus } from "../../../control-plane/status/policy-status.ts";
import { changeOf, podYaml, serviceYaml } from "../../support/manifests.ts";

function pipelineWith(...documents: string[]): Pipeline {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(documents.join("\n---\n")));
  return pipeline;
}

function timeout(name: string, spec: string): string {
  return `apiVersion: tulle.dev/v1alpha1\nkind: TimeoutPolicy\nmetadata: {namespace: shop, name: ${name}}\nspec: ${spec}\n`;
}

function split(backend: string): string {
  return `apiVersion: tulle.dev/v1alpha1\nkind: TrafficSplit\nmetadata: {namespace: shop, name: a}\nspec: {service: a, backends: [{service: ${backend}, weight: 1}]}\n`;
}

function reasons(pipeline: Pipeline): Record<string, string[]> {
  const statuses: PolicyStatus[] = pipeline.policyStatuses(() => undefined);
  return Object.fromEntries(statuses.map(({ name, conditions }) => [name, conditions.map(({ reason }) => reason)]));
}

function requestTimeout(pipeline: Pipeline): number | undefined {
  const resource = pipeline.snapshot.get("destination", "a.shop.svc.cluster.local:80")?.resource;
  return resource?.kind === "destination" ? resource.value.routes[0]?.timeout.requestMs : undefined;
}

it("names the existing kinds if one is misspelt", () => {
  const pipeline = pipelineWith(timeout("t", "{}").replace("TimeoutPolicy", "TimeoutPolicies"));
  const [problem] = pipeline.index.problems();
  expect(problem).toMatchObject({ file: "test.yaml", line: 2, path: "kind" });
  expect(problem?.message).toMatch(
    /must be one of .*TimeoutPolicy.*, got "TimeoutPolicies", did you mean TimeoutPolicy/,
  );
  expect(reasons(pipeline)).toEqual({ t: ["Invalid", "NotInForce"] });
});

describe("the status of a policy that requires mutual TLS", () => {
  const access = (name: string, spec: string) => timeout(name, spec).replace("TimeoutPolicy", "AccessPolicy");
  const podWith = (name: string, containers: string) =>
    podYaml(name, "a", "10.0.0.1").replace("spec: {", `spec: {initContainers: [${containers}], `);
  const redirected = podWith("a-1", "{name: tulle-init}, {name: tulle-sidecar, restartPolicy: Always}");
  const exposed = podWith("a-2", "{name: tulle-sidecar, restartPolicy: Always}").replace("10.0.0.1", "10.0.0.2");
  const programmed = (pipeline: Pipeline, name: string) =>
    pipeline
      .policyStatuses(() => ({ subscribers: 2, acked: 2, nacks: [], laggards: [] }))
      .find((status) => status.name === name)
      ?.conditions.at(-1);

  it("is Programmed if every pod's connections are redirected", () => {
    const pipeline = pipelineWith(redirected, access("strict", "{mtls: strict}"));
    expect(reasons(pipeline)["strict"]).toEqual(["Accepted", "ResolvedRefs", "NoSubscribers"]);
    expect(programmed(pipeline, "strict")).toMatchObject({ status: "True", reason: "Programmed" });
  });

  it("names the pods that plaintext still reaches", () => {
    const pipeline = pipelineWith(redirected, exposed, access("strict", "{mtls: strict}"));
    expect(programmed(pipeline, "strict")).toEqual({
      type: "Programmed",
      status: "False",
      reason: "NotRedirected",
      message: "4/4 sidecars; plaintext still reaches shop/a-2: nothing is redirected to their sidecars",
    });
    expect(pipeline.countNotProgrammed(() => undefined)).toEqual({ Refused: 0, Pending: 0, NotRedirected: 1 });
    const problems = () =>
      allProblems(
        pipeline.index,
        pipeline.policyStatuses(() => undefined),
      );
    expect(problems()).toMatchObject([{ path: "spec.mtls", severity: "warning" }]);
    pipeline.apply(changeOf("", ["Pod shop/a-2"]));
    expect(programmed(pipeline, "strict")).toMatchObject({ reason: "Programmed" });
    expect(problems()).toEqual([]);
  });

  it("leaves out the pods that the policy does not select", () => {
    const elsewhere = access("strict", "{selector: {matchLabels: {app: b}}, mtls: strict}");
    expect(programmed(pipelineWith(exposed, elsewhere), "strict")).toMatchObject({ status: "True" });
    const exempt = access("exempt", "{selector: {matchLabels: {app: a}}, mtls: permissive}");
    const both = pipelineWith(exposed, access("strict", "{mtls: strict}"), exempt);
    expect([programmed(both, "strict"), programmed(both, "exempt")]).toMatchObject([
      { status: "True" },
      { status: "True" },
    ]);
  });

  it("believes the annotation of a pod that has no sidecar yet, in a folder", () => {
    const off = podYaml("a-1", "a", "10.0.0.1").replace("annotations: {", 'annotations: {tulle.dev/intercept: "off", ');
    expect(programmed(pipelineWith(off, access("strict", "{mtls: strict}")), "strict")?.reason).toBe("NotRedirected");
  });
});

it("keeps a policy's last valid version in force, and says so", () => {
  const pipeline = pipelineWith(serviceYaml("a"), timeout("t", "{request: 1s}"));
  pipeline.apply(changeOf(timeout("t", "{request: 10 parsecs}")));
  expect(requestTimeout(pipeline)).toBe(1_000);
  const [status] = pipeline.policyStatuses(() => ({ subscribers: 1, acked: 1, nacks: [], laggards: [] }));
  expect(status?.conditions.map(({ reason }) => reason)).toEqual(["Invalid", "Programmed"]);
  expect(status?.conditions[0]?.message).toContain("what it said before stays in force");
  expect(allProblems(pipeline.index, status === undefined ? [] : [status]).map(formatProblem)).toEqual([
    'test.yaml:4 spec.request: must be a duration such as 1h30m, 10s or 500ms, got "10 parsecs"',
  ]);
  pipeline.apply(changeOf(timeout("t", "{request: 2s}")));
  expect(requestTimeout(pipeline)).toBe(2_000);
});

it("lets the loser of a conflict take over when the winner is deleted", () => {
  const pipeline = pipelineWith(serviceYaml("a"), timeout("one", "{request: 1s}"), timeout("two", "{request: 2s}"));
  expect(requestTimeout(pipeline)).toBe(1_000);
  expect(reasons(pipeline)["two"]).toEqual(["Conflicted", "ResolvedRefs", "NotInForce"]);
  pipeline.apply(changeOf("", ["TimeoutPolicy.tulle.dev shop/one"]));
  expect(requestTimeout(pipeline)).toBe(2_000);
  expect(reasons(pipeline)).toEqual({ two: ["Accepted", "ResolvedRefs", "NoSubscribers"] });
});

it("resolves a backend exactly while its Service exists", () => {
  const pipeline = pipelineWith(serviceYaml("a"), split("b"));
  expect(reasons(pipeline)["a"]).toContain("BackendNotFound");
  pipeline.apply(changeOf(serviceYaml("b")));
  expect(reasons(pipeline)["a"]).toEqual(["Accepted", "ResolvedRefs", "NoSubscribers"]);
  pipeline.apply(changeOf("", ["Service shop/b"]));
  expect(reasons(pipeline)["a"]).toContain("BackendNotFound");
});

it("follows the consent of another namespace as it is given and withdrawn", () => {
  const grant = `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {namespace: books, name: shop}
spec: {from: [{group: tulle.dev, kind: TrafficSplit, namespace: shop}], to: [{group: "", kind: Service, name: b}]}`;
  const other = serviceYaml("b").replace("namespace: shop", "namespace: books");
  const pipeline = pipelineWith(serviceYaml("a"), other, split("b, namespace: books"));
  const backend = () => {
    const resource = pipeline.snapshot.get("destination", "a.shop.svc.cluster.local:80")?.resource;
    return resource?.kind === "destination" ? resource.value.routes[0]?.backends[0]?.endpoints : undefined;
  };
  expect(reasons(pipeline)["a"]).toContain("RefNotPermitted");
  expect(pipeline.snapshot.get("endpoints", backend() ?? "")).toBeUndefined();
  pipeline.apply(changeOf(grant));
  expect(reasons(pipeline)["a"]).toEqual(["Accepted", "ResolvedRefs", "NoSubscribers"]);
  expect(backend()).toBe("b.books.svc.cluster.local:80");
  pipeline.apply(changeOf(grant.replace("kind: TrafficSplit", "kind: HTTPRoute")));
  expect(reasons(pipeline)["a"]).toContain("RefNotPermitted");
});

it("counts the acks of every resource that carries the policy", () => {
  const pipeline = pipelineWith(serviceYaml("a"), serviceYaml("b"), timeout("t", "{}"));
  const asked: string[] = [];
  const [status] = pipeline.policyStatuses(({ kind, name }) => {
    asked.push(`${kind} ${name}`);
    return { subscribers: 3, acked: 2, nacks: [], laggards: [] };
  });
  expect(asked.sort()).toEqual(["destination a.shop.svc.cluster.local:80", "destination b.shop.svc.cluster.local:80"]);
  expect(status?.conditions.at(-1)).toMatchObject({ type: "Programmed", reason: "Pending", message: "4/6 sidecars" });
});

it("recompiles only the Service that a policy is attached to", () => {
  const compiled: string[] = [];
  const pipeline = new Pipeline({
    clusterDomain: "cluster.local",
    trustDomain: "cluster.local",
    onCompile: (kind, namespace, name) => compiled.push(`${kind} ${namespace}/${name}`),
  });
  pipeline.apply(changeOf(["a", "b", "c"].map((name) => serviceYaml(name)).join("")));
  compiled.length = 0;
  pipeline.apply(changeOf(timeout("t", "{targetRefs: [{kind: Service, name: b}]}")));
  expect(compiled).toEqual(["endpoints shop/b", "destination shop/b"]);
});
