/**
 * What this version reads and checks but does not carry out. It is said aloud, in the status and as a problem: a policy that
 * is only believed to hold is worse than none.
 */

import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";

export interface Unapplied extends FieldError {
  /** Nothing of the policy has an effect, or only this field has none. */
  readonly extent: "policy" | "field";
}

const applied: ReadonlySet<PolicyKind> = new Set(["CircuitBreaker", "RetryPolicy", "TimeoutPolicy", "TrafficSplit"]);

export function findUnapplied(policy: Policy): Unapplied[] {
  if (!applied.has(policy.kind))
    return [{ extent: "policy", path: "kind", message: `${policy.kind} has no effect in this version` }];
  return fieldsWithoutEffect(policy).map((field) => ({
    extent: "field",
    path: `spec.${field}`,
    message: "has no effect in this version",
  }));
}

function fieldsWithoutEffect(policy: Policy): string[] {
  if (policy.kind === "TrafficSplit") {
    return (["sticky", "mirror"] as const).filter((field) => policy.spec[field] !== undefined);
  }
  if (policy.kind !== "CircuitBreaker") return [];
  const { spec } = policy;
  const limits = (["maxRequests", "maxConnections", "maxPendingRequests"] as const).filter(
    (field) => spec[field] !== undefined,
  );
  return spec.scope === "service" ? ["scope", ...limits] : limits;
}
