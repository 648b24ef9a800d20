import { parsePolicy } from "../../model/parse/policy.ts";
import { policyWarnings } from "../../model/parse/warnings.ts";
import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import { type FieldError, ok, type Result } from "../../model/result.ts";

/** An object of `tulle.dev` as a user would write it. */
export function policyObject(kind: string, spec: unknown): unknown {
  return { apiVersion: "tulle.dev/v1alpha1", kind, metadata: { name: "it", namespace: "shop" }, spec };
}

/** Reads the spec of a policy as it is read in its object. */
export function parseSpec(kind: PolicyKind, spec: unknown): Result<Policy["spec"], FieldError[]> {
  const parsed = parsePolicy(policyObject(kind, spec));
  return parsed.ok ? ok(parsed.value.spec) : parsed;
}

/** The errors of a parse, each as `path: message`; empty: none. */
export function errorsOf(result: Result<unknown, FieldError[]>): string[] {
  return result.ok ? [] : result.error.map(told);
}

/** The warnings about a valid policy. */
export function warningsOf(kind: string, spec: unknown): string[] {
  const parsed = parsePolicy(policyObject(kind, spec));
  if (!parsed.ok) throw new Error(errorsOf(parsed).join("\n"));
  return policyWarnings(parsed.value).map(told);
}

function told({ path, message }: FieldError): string {
  return `${path}: ${message}`;
}
