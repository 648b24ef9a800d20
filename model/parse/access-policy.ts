/**
 * AccessPolicy: who may call what, and whether plaintext is taken.
 *
 * ```yaml
 * spec:
 *   targetRefs: [{kind: Service, name: payments}]
 *   rules:
 *     - from: [{namespace: shop}, {identity: spiffe://cluster.local/ns/ops/sa/probe}]
 *       methods: [POST]
 *       paths: [{type: PathPrefix, value: /charges}]
 *   mtls: strict
 * ```
 * With neither `action` nor `rules` it sets `mtls` alone. `action: allow` with `rules: []` admits nobody.
 */

import type { AccessPolicy, AccessRule, CallerMatch } from "../policy.ts";
import { isTrustDomain, parseSpiffeId } from "../spiffe.ts";
import { pathMatch } from "./match.ts";
import { labelName, text } from "./scalars.ts";
import { given, list, object, oneOf, Schema, show } from "./schema.ts";
import { serverScope, serverScopeFields } from "./server-scope.ts";
import type { Attached } from "./targets.ts";

const identity = new Schema<string>({ type: "string", pattern: "^spiffe://[^/]+/ns/[^/]+/sa/[^/]+$" }, (value, at) => {
  const id = parseSpiffeId(typeof value === "string" ? value : "");
  if (id.ok) return value as string;
  return at.fail(`must be spiffe://<trust domain>/ns/<namespace>/sa/<service account>, got ${show(value)}`);
});

const trustDomain = new Schema<string>({ type: "string", pattern: "^[a-z0-9._-]{1,255}$" }, (value, at) => {
  if (typeof value === "string" && isTrustDomain(value)) return value;
  return at.fail(`must be a trust domain such as cluster.local, got ${show(value)}`);
});

const caller = object({
  identity: identity.describe("Exactly this workload.").optional(),
  namespace: labelName().describe("Every workload of a namespace.").optional(),
  trustDomain: trustDomain
    .describe("Every workload of a trust domain. With namespace: that namespace's; absent: the mesh's own domain.")
    .optional(),
})
  .check({
    cel: "has(self.identity) != (has(self.namespace) || has(self.trustDomain))",
    says: "either identity, or namespace or trustDomain or both",
    field: "identity",
    find: ({ identity, namespace, trustDomain }) =>
      (identity !== undefined) !== (namespace !== undefined || trustDomain !== undefined)
        ? undefined
        : "either identity, or namespace or trustDomain or both are required",
  })
  .map(({ identity, namespace, trustDomain = "" }): CallerMatch => {
    if (identity !== undefined) return { kind: "identity", id: identity };
    if (namespace === undefined) return { kind: "trust-domain", trustDomain };
    return { kind: "namespace", namespace, ...(trustDomain !== "" && { trustDomain }) };
  });

const rule = object({
  from: list(caller, { min: 1, max: 64 })
    .describe("Who calls, any of these; absent: anyone, also without a certificate.")
    .or([]),
  methods: list(text({ maxLength: 32, pattern: "^[A-Z][A-Z_-]*$", says: "a method in upper case" }), {
    min: 1,
    max: 16,
  })
    .describe("The method, any of these; absent: all.")
    .or([]),
  paths: list(pathMatch, { min: 1, max: 64 }).describe("The path, any of these; absent: all.").or([]),
}).map((fields): AccessRule => fields);

export const accessPolicySpec: Schema<Attached<AccessPolicy>> = object({
  ...serverScopeFields,
  action: oneOf(["allow", "deny"])
    .describe("What happens to a request that a rule matches. Default: allow.")
    .optional(),
  mode: oneOf(["enforce", "audit"]).describe("audit: refuses nothing; what it would refuse is counted.").or("enforce"),
  rules: list(rule, { max: 64 }).describe("A request matches if one of these does.").optional(),
  mtls: oneOf(["strict", "permissive"]).describe("strict: plaintext is refused.").optional(),
})
  .check({
    cel: "has(self.rules) || (!has(self.action) && has(self.mtls))",
    says: "rules is required, except where only mtls is set",
    field: "rules",
    find: ({ action, rules, mtls }) =>
      rules !== undefined || (action === undefined && mtls !== undefined)
        ? undefined
        : "is required, except where only mtls is set",
  })
  .map((fields) => ({
    targets: fields.targetRefs,
    spec: {
      ...serverScope(fields),
      ...(fields.rules && { access: { action: fields.action ?? "allow", mode: fields.mode, rules: fields.rules } }),
      ...given({ mtls: fields.mtls }),
    },
  }));
