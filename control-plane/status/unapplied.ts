/**
 * What this version reads and checks but does not carry out. It is said aloud, in the status and as a problem: a policy that
 * is only believed to hold is worse than none.
 */

import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";

const applied: ReadonlySet<PolicyKind> = new Set(["CircuitBreaker", "RetryPolicy", "TimeoutPolicy", "TrafficSplit"]);

/** Undefined: it has an effect. */
export function findUnapplied({ kind }: Policy): FieldError | undefined {
  if (applied.has(kind)) return undefined;
  return { path: "kind", message: `${kind} has no effect in this version` };
}
