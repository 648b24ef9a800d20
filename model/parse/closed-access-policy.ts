/**
 * The stand-in for an AccessPolicy that was never valid: it admits nobody where the policy would have applied. A mistake in a
 * rule must not open what its author meant to close. Only what it selects can be closed, so that much must be readable.
 */

import type { AccessPolicy } from "../policy.ts";
import type { TargetRef } from "../policy-object.ts";
import type { Schema } from "./schema.ts";
import { serverScope, serverScopeFields } from "./server-scope.ts";
import type { Attached } from "./targets.ts";

const knownFields = ["targetRefs", "selector", "ports", "action", "mode", "rules", "mtls"];

/** Undefined: the policy decides nothing (`mode: audit`), or its selection can't be read. */
export function closedAccessPolicy(spec: unknown): Attached<AccessPolicy> | undefined {
  if (typeof spec !== "object" || spec === null) return undefined;
  const fields = spec as Readonly<Record<string, unknown>>;
  const targets = readTargets(fields);
  if (targets === undefined || fields["mode"] === "audit") return undefined;
  // A narrowing that can't be read is ignored, so the policy applies more widely.
  const selector = valueOf(serverScopeFields.selector, fields["selector"]);
  const ports = valueOf(serverScopeFields.ports, fields["ports"]);
  return { targets, spec: { ...serverScope({ selector, ports }), ...closed(fields) } };
}

/**
 * An allow policy that matches nothing leaves room for other policies. A deny policy refuses everybody, because it is not known
 * whom it meant.
 */
function closed({ action, rules, mtls }: Readonly<Record<string, unknown>>): AccessPolicy {
  const strict = mtls === undefined || mtls === "permissive" ? {} : { mtls: "strict" as const };
  if (action === undefined && rules === undefined && mtls !== undefined) return strict;
  if (action === undefined || action === "allow") {
    return { access: { action: "allow", mode: "enforce", rules: [] }, ...strict };
  }
  const anybody = { from: [], methods: [], paths: [] };
  return { access: { action: "deny", mode: "enforce", rules: [anybody] }, ...strict };
}

/** Undefined: targets are given, or an unknown field may have been meant as them, and none can be read. */
function readTargets(fields: Readonly<Record<string, unknown>>): readonly TargetRef[] | undefined {
  const given = fields["targetRefs"];
  if (given === undefined) return Object.keys(fields).every((name) => knownFields.includes(name)) ? [] : undefined;
  const list: readonly unknown[] = Array.isArray(given) ? given : [];
  const readable = list.flatMap((ref) => valueOf(serverScopeFields.targetRefs, [ref]) ?? []);
  return readable.length > 0 ? readable : undefined;
}

function valueOf<T>(schema: Schema<T>, value: unknown): T | undefined {
  const read = schema.parse(value);
  return read.ok ? read.value : undefined;
}
