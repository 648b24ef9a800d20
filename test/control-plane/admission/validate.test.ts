import { describe, expect, it } from "vitest";
import { type AdmissionAnswer, readReview } from "../../../control-plane/admission/review.ts";
import { validateHandler } from "../../../control-plane/admission/validate.ts";
import { ClusterIndex } from "../../../control-plane/index/cluster-index.ts";
import { reviewOf } from "../../support/admission.ts";
import { changeOf, serviceYaml } from "../../support/manifests.ts";

const index = new ClusterIndex();
index.apply(changeOf([serviceYaml("a"), serviceYaml("b"), serviceYaml("checkout")].join("\n")));
let catchUp: () => void = () => {};
const validate = validateHandler(index, async () => catchUp());

async function ask(...given: Parameters<typeof reviewOf>): Promise<AdmissionAnswer> {
  const request = readReview(JSON.stringify(reviewOf(...given)));
  if (!request.ok) throw new Error(request.error);
  return await validate(request.value);
}

const named = { name: "a", namespace: "shop" };
const split = (spec: unknown) => ({ kind: "TrafficSplit", metadata: named, spec });
const route = (spec: unknown) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: named,
  spec,
});
const invalid = { service: "a", backends: [{ service: "b", weight: -1 }] };
const admitted = { verdict: "admit", warnings: [] };

describe("a policy", () => {
  it("is admitted if the parser accepts it", async () => {
    expect(await ask(split({ service: "a", backends: [{ service: "b", weight: 1 }] }))).toEqual(admitted);
  });

  it("is refused with the path of each field that is wrong", async () => {
    expect(await ask(split({ service: "A", backends: [{ service: "b", weight: -1 }], sticky: 1 }))).toEqual({
      verdict: "refuse",
      causes: [
        { path: "spec.service", message: 'must be a name of lower-case letters, digits and dashes, got "A"' },
        { path: "spec.backends[0].weight", message: "must be at least 0, got -1" },
        { path: "spec.sticky", message: "must be an object, got 1" },
      ],
    });
  });

  it.each([
    [
      "a split that sums to 0",
      split({ service: "a", backends: [{ service: "b", weight: 0 }] }),
      "spec.backends: all weights are 0",
    ],
    [
      "a retry of POST",
      { kind: "RetryPolicy", metadata: named, spec: { retryNonIdempotent: true } },
      "POST and PATCH may be processed twice",
    ],
    [
      "a timeout below that of a try",
      { kind: "TimeoutPolicy", metadata: named, spec: { request: "1s", perTry: "2s" } },
      "spec.perTry: 2s is never reached",
    ],
  ])("is admitted with a warning about %s", async (_, object, warning) => {
    const answer = await ask(object);
    expect(answer).toEqual({ verdict: "admit", warnings: [expect.stringContaining(warning)] });
  });

  it.each([
    [
      "misspelt, and which is meant",
      {
        kind: "TimeoutPolicy",
        spec: {
          targetRefs: [
            { kind: "Service", name: "a" },
            { kind: "Service", name: "chekout" },
          ],
        },
      },
      'spec.targetRefs[1]: no Service "chekout" in namespace "shop"; did you mean "checkout"?',
    ],
    [
      "like no other",
      { kind: "TimeoutPolicy", spec: { targetRefs: [{ kind: "Service", name: "orders" }] } },
      'spec.targetRefs[0]: no Service "orders" in namespace "shop"',
    ],
    [
      "a backend, in another namespace perhaps",
      {
        kind: "TrafficSplit",
        spec: { service: "a", backends: [{ service: "b" }, { service: "b", namespace: "far" }] },
      },
      'spec.backends[1].service: no Service "b" in namespace "far"',
    ],
  ])("is admitted with a warning about a Service that is missing: %s", async (_, object, warning) => {
    expect(await ask({ ...object, metadata: named })).toEqual({ verdict: "admit", warnings: [warning] });
  });

  it("is admitted without a warning about a Service that was created just before it", async () => {
    catchUp = () => index.apply(changeOf(serviceYaml("new")));
    const spec = { targetRefs: [{ kind: "Service", name: "new" }] };
    expect(await ask({ kind: "TimeoutPolicy", metadata: named, spec })).toEqual(admitted);
  });

  it("that names hundreds of missing Services has only the first of them compared with those that exist", async () => {
    const others = Array.from({ length: 100 }, (_, i) => serviceYaml(`checkout-${i}`));
    const large = new ClusterIndex();
    large.apply(changeOf(others.join("\n")));
    const backendsOf = (match: number) =>
      Array.from({ length: 16 }, (_, i) => ({ service: `chekout-${match * 16 + i}` }));
    const match = [0, 1, 2, 3, 4].map((at) => ({ path: { value: `/${at}` }, backends: backendsOf(at) }));
    const request = readReview(
      JSON.stringify(reviewOf(split({ service: "checkout-0", match, backends: [{ service: "checkout-1" }] }))),
    );
    if (!request.ok) throw new Error(request.error);
    const answer = await validateHandler(large, async () => {})(request.value);
    const warnings = answer.verdict === "admit" ? answer.warnings : [];
    expect([warnings.length, warnings.filter((line) => line.includes("did you mean")).length]).toEqual([80, 5]);
  });

  it("may refer to a Service that does not exist yet with weight 0", async () => {
    const backends = [{ service: "b" }, { service: "next", weight: 0 }];
    expect(await ask(split({ service: "a", backends }))).toEqual(admitted);
  });

  it("needs no name if the API server generates one", async () => {
    const { name: _, ...generated } = { ...named, generateName: "a-" };
    expect(
      await ask({ ...split({ service: "a", backends: [{ service: "b", weight: 1 }] }), metadata: generated }),
    ).toEqual(admitted);
  });

  it("may lose its finalizers although it is invalid, but may not be changed into another invalid one", async () => {
    const before = split(invalid);
    const labelled = { ...before, metadata: { ...named, labels: { a: "b" } } };
    expect(await ask(labelled, { operation: "UPDATE", oldObject: before })).toEqual(admitted);
    const worse = split({ ...invalid, service: "A" });
    expect(await ask(worse, { operation: "UPDATE", oldObject: before })).toMatchObject({ verdict: "refuse" });
  });

  it("may be deleted, and its status written, whatever it contains", async () => {
    expect(await ask(split(invalid), { operation: "DELETE", object: null, oldObject: split(invalid) })).toEqual(
      admitted,
    );
    expect(await ask(split(invalid), { operation: "UPDATE", subResource: "status" })).toEqual(admitted);
  });

  it("is refused if it is not an object", async () => {
    for (const object of [null, 1, [], "x", { __proto__: null }]) {
      expect(await ask(split({}), { object })).toMatchObject({ verdict: "refuse" });
    }
  });
});

describe("a route", () => {
  const parentRefs = [{ group: "", kind: "Service", name: "a" }];

  it("of a Service is never refused: its author is warned that the mesh does not apply it", async () => {
    expect(await ask(route({ parentRefs, rules: [{ matches: [{ path: { value: "no/slash" } }] }] }))).toEqual({
      verdict: "admit",
      warnings: [expect.stringMatching(/^not taken over by the mesh: spec\.rules\[0\]\.matches\[0\]\.path/)],
    });
  });

  it("of a Gateway is ignored", async () => {
    expect(await ask(route({ parentRefs: [{ name: "edge" }], rules: 1 }))).toEqual(admitted);
  });
});

it("admits objects of other groups", async () => {
  expect(await ask({ apiVersion: "v1", kind: "Pod", metadata: named })).toEqual(admitted);
});
