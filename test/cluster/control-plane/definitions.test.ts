/** What a user of the resource definitions sees: kubectl's own words, and the API server's verdicts. */

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { openApiOf, policyKinds } from "../../../model/parse/policy.ts";
import { type Kubectl, kubectlIn } from "../kubectl.ts";
import { TestNamespace } from "./objects.ts";

let api: ClusterApi;
let namespace: string;
let kubectl: Kubectl;
beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  namespace = (await TestNamespace.create(api, "definitions")).name;
  kubectl = kubectlIn(inject("kubeconfig"), namespace);
});
afterAll(() => api.close());

const policy = (kind: string, name: string, spec: unknown) => ({
  apiVersion: "tulle.dev/v1alpha1",
  kind,
  metadata: { name },
  spec,
});
const split = (name: string, spec: object = {}) =>
  policy("TrafficSplit", name, { service: "a", backends: [{ service: "b", weight: 1 }], ...spec });

interface OpenApi {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, OpenApi>>;
  readonly items?: OpenApi;
  readonly required?: readonly string[];
}

/** The objects in a schema, by their paths. */
function objectsIn(path: string, schema: OpenApi): [path: string, schema: OpenApi][] {
  const { items, properties } = schema;
  if (items !== undefined) return objectsIn(path, items);
  if (properties === undefined) return [];
  const inner = Object.entries(properties).flatMap(([name, field]) => objectsIn(`${path}.${name}`, field));
  return [[path, schema], ...inner];
}

describe("kubectl explain", () => {
  /** By path: what is asked for twice is asked once. */
  const told = new Map<string, Promise<string>>();

  /** On one line. */
  function explain(path: string): Promise<string> {
    const answer =
      told.get(path) ?? kubectl(`explain ${path}`).then(({ out, err }) => `${out}${err}`.replaceAll(/\s+/g, " "));
    told.set(path, answer);
    return answer;
  }

  /** As kubectl writes a field: its name, its type, whether it must be there, what may stand there, and what it is. */
  function isTold(text: string, name: string, { description = "" }: OpenApi, required: boolean): boolean {
    const [, after = ""] = text.split(` ${name} <`);
    const [own = ""] = after.split(" <");
    return description !== "" && own.includes(` ${description}`) && own.includes("> -required-") === required;
  }

  it.each(policyKinds)(
    "says what a %s is, and of each of its fields what it is and whether it must be there",
    async (kind) => {
      const name = kind.toLowerCase();
      expect(await explain(name)).toMatch(/ DESCRIPTION: [A-Z][^<]+\. FIELDS: /);
      const objects = objectsIn(`${name}.spec`, openApiOf(kind));
      const silent = objects.map(async ([path, { properties = {}, required = [] }]) => {
        const text = await explain(path);
        const fields = Object.entries(properties);
        return fields
          .filter(([of, field]) => !isTold(text, of, field, required.includes(of)))
          .map(([of]) => `${path}.${of}`);
      });
      expect((await Promise.all(silent)).flat()).toEqual([]);
    },
  );

  it.each([
    ["accesspolicy.spec", "action <string> enum: allow, deny", "Default: allow."],
    ["circuitbreaker.spec", "openDuration <string>", "How long it stays open before it tries again. Default: 30s."],
    ["faultinjection.spec", "until <string> -required-", "When it ends, such as 2027-01-31T18:00:00Z"],
    ["idempotencypolicy.spec", "ttl <string>", "How long an answer is kept. Default: 24h."],
    ["ratelimit.spec.limits", "per <string>", "Default: 1s."],
    ["retrypolicy.spec", "initialDelay <string>", "The time before the first retry. Default: 100ms."],
    [
      "retrypolicy.spec.budget",
      "percent <number>",
      "Retries as a percentage of the first tries in the window. Default: 20.",
    ],
    ["telemetrypolicy.spec.accessLog", "ratio <number>", "Default: 1."],
    ["timeoutpolicy.spec", "request <string>", "0s: no limit. Default: 30s."],
    ["trafficsplit.spec.mirror", "percent <number>", "The share of requests that are copied. Default: 100."],
    ["trafficsplit.status.conditions", "observedGeneration <integer>", "The metadata.generation of the object"],
  ])("tells units and defaults: %s, %s", async (path, field, says) => {
    const [, after = ""] = (await explain(path)).split(` ${field} `);
    expect(after.split(" <")[0]).toContain(says);
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
