/**
 * What this version reads and checks but does not carry out. It is said aloud, in the status and as a problem: a policy that
 * is only believed to hold is worse than none.
 */

import type { Policy } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";

/** The field that has no effect; undefined: all of it has. */
export function findUnapplied({ kind, spec }: Policy): FieldError | undefined {
  if (kind !== "AccessPolicy" || spec.mtls !== "strict") return undefined;
  return { path: "spec.mtls", message: "refuses plaintext only in pods whose traffic is redirected to their sidecar" };
}
