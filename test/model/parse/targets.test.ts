import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../model/parse/policy.ts";
import { errorsOf, policyObject } from "../../support/policy-objects.ts";

describe("targetRefs", () => {
  function targets(...targetRefs: unknown[]): string[] {
    return errorsOf(parsePolicy(policyObject("RetryPolicy", { targetRefs })));
  }

  it("name objects of the same namespace", () => {
    expect(targets({ kind: "Service", name: "orders", namespace: "other" })).toEqual([
      "spec.targetRefs[0].namespace: a policy attaches to objects of its own namespace only",
    ]);
  });

  it("may give the group of their kind, and no other", () => {
    expect(targets({ kind: "Service", group: "", name: "orders" })).toEqual([]);
    expect(targets({ kind: "HTTPRoute", group: "gateway.networking.k8s.io", name: "orders" })).toEqual([]);
    expect(targets({ kind: "HTTPRoute", group: "", name: "orders" })).toEqual([
      'spec.targetRefs[0].group: must be "gateway.networking.k8s.io" for a HTTPRoute, got ""',
    ]);
  });

  it("can't name anything twice", () => {
    const orders = { kind: "Service", name: "orders" };
    expect(targets(orders, { ...orders, sectionName: "http" })).toEqual([]);
    expect(targets(orders, orders)).toEqual([
      "spec.targetRefs[1]: Service orders is given twice, see spec.targetRefs[0]",
    ]);
  });

  it("of a CircuitBreaker are Services", () => {
    const spec = { targetRefs: [{ kind: "HTTPRoute", name: "orders" }] };
    expect(errorsOf(parsePolicy(policyObject("CircuitBreaker", spec)))).toEqual([
      'spec.targetRefs[0].kind: must be one of Service, got "HTTPRoute"',
    ]);
  });
});
