import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../../model/defaults.ts";
import { isPolicyKind, openApiOf, parsePolicy, policyKinds } from "../../../model/parse/policy.ts";
import type { OpenApiSchema } from "../../../model/parse/schema.ts";
import type { Policy } from "../../../model/policy-object.ts";
import { errorsOf, policyObject } from "../../support/policy-objects.ts";

/** What the API server asks of a schema: a type everywhere, lists and texts bounded where rules compute with them. */
function structureFaults(schema: OpenApiSchema, path: string): string[] {
  const { type, properties = {}, items, additionalProperties, maxItems, maxLength, maxProperties } = schema;
  const faults: string[] = [];
  if (type === undefined && schema["x-kubernetes-int-or-string"] !== true) faults.push(`${path} has no type`);
  if (type === "array" && maxItems === undefined) faults.push(`${path} has no maxItems`);
  if (additionalProperties !== undefined && maxProperties === undefined) faults.push(`${path} has no maxProperties`);
  const bounded = [maxLength, schema["enum"], schema["format"], schema["pattern"]].some((bound) => bound !== undefined);
  if (type === "string" && !bounded) faults.push(`${path} has no maxLength`);
  const inner = [...Object.entries(properties as object), ["[]", items], ["{}", additionalProperties]] as const;
  return inner.reduce<string[]>(
    (all, [name, one]) =>
      one === undefined ? all : [...all, ...structureFaults(one as OpenApiSchema, `${path}.${name}`)],
    faults,
  );
}

describe("a policy as an object", () => {
  it("has a kind, a name, targets and a spec", () => {
    const spec = { targetRefs: [{ kind: "Service", name: "orders", sectionName: "http" }] };
    expect(parsePolicy(policyObject("RetryPolicy", spec))).toEqual({
      ok: true,
      value: {
        kind: "RetryPolicy",
        namespace: "shop",
        name: "it",
        targets: [{ kind: "Service", name: "orders", sectionName: "http" }],
        spec: defaultRetryPolicy,
      } satisfies Policy,
    });
  });

  it("is in the namespace default, and applies to all of it, unless it says otherwise", () => {
    const bare = { apiVersion: "tulle.dev/v1alpha1", kind: "TimeoutPolicy", metadata: { name: "it", labels: {} } };
    expect(parsePolicy(bare)).toMatchObject({ ok: true, value: { namespace: "default", targets: [] } });
  });

  it("is of a known kind", () => {
    expect(errorsOf(parsePolicy(policyObject("RetryPolcy", {})))).toEqual([
      `kind: must be one of ${policyKinds.join(", ")}, got "RetryPolcy", did you mean RetryPolicy?`,
    ]);
    expect(isPolicyKind("constructor")).toBe(false);
    expect([...policyKinds].sort()).toEqual(policyKinds);
  });

  it("is refused with all of its errors at once", () => {
    const broken = {
      apiVersion: "tulle.dev/v1",
      kind: "RetryPolicy",
      metadata: { name: "Not A Name", namespace: 7 },
      spec: { maxAttemps: 3, targetRefs: [{ kind: "Pod" }] },
      speck: {},
    };
    expect(errorsOf(parsePolicy(broken))).toEqual([
      'apiVersion: must be tulle.dev/v1alpha1, got "tulle.dev/v1"',
      "speck: unknown field, did you mean spec?",
      'metadata.name: must be a name of lower-case letters, digits, dashes and dots, got "Not A Name"',
      "metadata.namespace: must be a string, got 7",
      "spec.maxAttemps: unknown field, did you mean maxAttempts?",
      'spec.targetRefs[0].kind: must be one of Service, HTTPRoute, GRPCRoute, got "Pod"',
      "spec.targetRefs[0].name: is required",
    ]);
  });

  it.each([null, undefined, 7, "x", []])("is not %j", (value) => {
    expect(parsePolicy(value).ok).toBe(false);
  });

  it.each(policyKinds)("%s has a structural schema", (kind) => {
    expect(structureFaults(openApiOf(kind), "spec")).toEqual([]);
  });

  it("is read or refused, whatever it contains", () => {
    const names = [
      "targetRefs",
      "rules",
      "limits",
      "backends",
      "match",
      "retryOn",
      "until",
      "selector",
      "ports",
      "abort",
    ];
    const spec = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...names), fc.jsonValue()));
    fc.assert(
      fc.property(fc.constantFrom(...policyKinds), spec, fc.jsonValue(), (kind, spec, metadata) => {
        const parsed = parsePolicy({ apiVersion: "tulle.dev/v1alpha1", kind, metadata, spec });
        expect(parsed.ok || parsed.error.length > 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("with an invalid list of any length is refused at the cost of a short one", () => {
    const rules = Array.from({ length: 1_000_000 }, () => ({}));
    expect(errorsOf(parsePolicy(policyObject("AccessPolicy", { rules })))).toEqual([
      "spec.rules: must have at most 64 items, got 1000000",
    ]);
  });
});
