/** Conditions in the manner of Gateway API (GEP-1364), shared by policies and routes. */

import type { FieldError } from "../../model/result.ts";

export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | "PartiallyInvalid" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  /** One word for programs. */
  readonly reason: string;
  /** The explanation for people. */
  readonly message: string;
}

export function refused(type: Condition["type"], reason: string, message: string): Condition {
  return { type, status: "False", reason, message };
}

export function oneLine({ path, message }: FieldError): string {
  return `${path}: ${message}`;
}

/** A reference to something that is missing or not permitted. */
export interface UnresolvedRef extends FieldError {
  readonly reason: "BackendNotFound" | "RefNotPermitted" | "InvalidKind";
}

export function resolvedRefs(unresolved: readonly UnresolvedRef[]): Condition {
  const [first] = unresolved;
  if (first === undefined) return { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "" };
  return refused("ResolvedRefs", first.reason, unresolved.map(oneLine).join("; "));
}
