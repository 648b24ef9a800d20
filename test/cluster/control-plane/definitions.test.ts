/** What a user of the resource definitions sees: kubectl's own words, and the API server's verdicts. */

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { policyKinds } from "../../../model/parse/policy.ts";
import { kubectlIn } from "../kubectl.ts";

const kubeconfig = inject("kubeconfig");
const namespace = "definitions";

let api: ClusterApi;
beforeAll(async () => {
  api = await openClusterApi(kubeconfig);
  await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: namespace } } });
});
afterAll(() => api.close());

const kubectl = kubectlIn(kubeconfig, namespace);

const policy = (kind: string, name: string, spec: unknown) => ({
  apiVersion: "tulle.dev/v1alpha1",
  kind,
  metadata: { name },
  spec,
});
const split = (name: string, spec: object = {}) =>
  policy("TrafficSplit", name, { service: "a", backends: [{ service: "b", weight: 1 }], ...spec });

describe("kubectl explain", () => {
  it.each(policyKinds)("describes every field of a %s", async (kind) => {
    const { code, out } = await kubectl(`explain ${kind.toLowerCase()}.spec --recursive`);
    expect(code).toBe(0);
    expect(out).toContain("FIELDS:");
  });

  it("tells defaults and units", async () => {
    const { out } = await kubectl("explain retrypolicy.spec.initialDelay");
    expect(out).toContain("The time before the first retry. Default: 100ms.");
  });
});

describe("kubectl get", () => {
  it("knows short names, and shows what became of each policy", async () => {
    await kubectl("apply -f -", split("shown"));
    await kubectl(
      'patch ts shown --subresource=status --type=merge -p {"status":{"conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-06-01T12:00:00Z"}]}}',
    );
    const { out, err } = await kubectl("get ts");
    expect(err).toBe("");
    const [head, row] = out.split("\n").map((line) => line.trim().split(/\s{2,}/));
    expect(head).toEqual(["NAME", "SERVICE", "ACCEPTED", "PROGRAMMED", "AGE"]);
    expect(row?.slice(0, 3)).toEqual(["shown", "a", "True"]);
  });

  it("shows all policies at once by their category", async () => {
    await kubectl("apply -f -", policy("TimeoutPolicy", "by-category", { request: "1s" }));
    const { out } = await kubectl("get tulle -o name");
    expect(out).toContain("timeoutpolicy.tulle.dev/by-category");
  });
});

describe("server-side apply", () => {
  it("merges what two owners say, and refuses to take a field from another", async () => {
    const name = "applied";
    const apply = (owner: string, spec: unknown) =>
      kubectl(`apply --server-side --field-manager=${owner} -f -`, policy("RetryPolicy", name, spec));
    expect((await apply("one", { maxAttempts: 2 })).code).toBe(0);
    expect((await apply("two", { maxDelay: "2s" })).code).toBe(0);
    const { out } = await kubectl(`get retrypolicy ${name} -o jsonpath={.spec}`);
    expect(JSON.parse(out)).toEqual({ maxAttempts: 2, maxDelay: "2s" });
    const conflict = await apply("two", { maxAttempts: 5 });
    expect(conflict.code).toBe(1);
    expect(conflict.err).toContain('conflict with "one": .spec.maxAttempts');
  });

  it("replaces nothing of the status", async () => {
    await kubectl("apply --server-side -f -", split("kept"));
    const patch = { status: { conditions: [] } };
    const path = `/apis/tulle.dev/v1alpha1/namespaces/${namespace}/trafficsplits/kept`;
    const contentType = "application/merge-patch+json";
    expect((await api.request({ method: "PATCH", path: `${path}/status`, body: patch, contentType })).status).toBe(200);
    expect((await kubectl("apply --server-side -f -", split("kept", { port: 80 }))).code).toBe(0);
    expect((await api.request({ path })).body).toMatchObject({ spec: { port: 80 }, status: { conditions: [] } });
  });
});

describe("the API server refuses by itself", () => {
  it.each<[string, object, string]>([
    ["a field that is misspelt", policy("RetryPolicy", "r", { maxAttemps: 2 }), 'unknown field "spec.maxAttemps"'],
    [
      "a number out of range",
      policy("RetryPolicy", "r", { maxAttempts: 0 }),
      "spec.maxAttempts in body should be greater than or equal to 1",
    ],
    ["a word for a duration", policy("TimeoutPolicy", "r", { request: "soon" }), "spec.request"],
    ["a duration out of range", policy("TimeoutPolicy", "r", { request: "90000s" }), "spec.request"],
    ["a status that no retry helps", policy("RetryPolicy", "r", { retryOn: ["404"] }), "spec.retryOn[0]"],
    [
      "fields that contradict each other",
      policy("RetryPolicy", "r", { initialDelay: "10s", maxDelay: "1s" }),
      "initialDelay must be at most maxDelay",
    ],
    ["a split of no Service", policy("TrafficSplit", "r", { backends: [] }), "spec.service: Required value"],
    [
      "a policy without a spec",
      { apiVersion: "tulle.dev/v1alpha1", kind: "RetryPolicy", metadata: { name: "r" } },
      "spec: Required value",
    ],
  ])("%s", async (_, object, says) => {
    const { code, err } = await kubectl("apply -f -", object);
    expect(err).toContain(says);
    expect(code).toBe(1);
  });
});

it("keeps the policies when the chart is uninstalled", async () => {
  const { out } = await kubectl("get crd trafficsplits.tulle.dev -o jsonpath={.metadata.annotations}");
  expect(JSON.parse(out)).toMatchObject({ "helm.sh/resource-policy": "keep" });
});
