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

const applied: ReadonlySet<PolicyKind> = new Set([
  "AccessPolicy",
  "CircuitBreaker",
  "RetryPolicy",
  "TimeoutPolicy",
  "TrafficSplit",
]);

/** Undefined: all of it has an effect. */
export function findUnapplied(policy: Policy): Unapplied | undefined {
  const { kind, spec } = policy;
  if (!applied.has(kind)) return { extent: "policy", path: "kind", message: `${kind} has no effect in this version` };
  // Nothing leads plaintext into a sidecar yet, so there is none that it could refuse.
  if (kind !== "AccessPolicy" || spec.mtls === undefined) return undefined;
  const extent = spec.access === undefined ? "policy" : "field";
  return { extent, path: "spec.mtls", message: "has no effect in this version" };
}
