/**
 * What this version reads and checks but does not carry out. It is said aloud, in the status and as a problem: a policy that
 * is only believed to hold is worse than none.
 */

import type { Policy } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";

export interface Unapplied extends FieldError {
  /** Nothing of the policy has an effect, or only this field has none. */
  readonly extent: "policy" | "field";
}

/** Undefined: all of it has an effect. */
export function findUnapplied(policy: Policy): Unapplied | undefined {
  const { kind, spec } = policy;
  if (kind === "TelemetryPolicy") return findRouteTarget(policy);
  if (kind === "AccessPolicy" && spec.mtls === "strict") {
    const message = "refuses plaintext only in pods whose traffic is redirected to their sidecar";
    return { extent: "field", path: "spec.mtls", message };
  }
  return undefined;
}

/** Whether a trace is recorded is decided before a request has a route. */
function findRouteTarget({ targets }: Policy): Unapplied | undefined {
  const at = targets.findIndex((target) => target.kind !== "Service");
  if (at < 0) return undefined;
  const extent = targets.some((target) => target.kind === "Service") ? "field" : "policy";
  return {
    extent,
    path: `spec.targetRefs[${at}].kind`,
    message: "a route has no effect in this version, a Service has",
  };
}
