/** `targetRefs`: what a policy attaches to (Gateway API's policy attachment, GEP-2648). */

import type { TargetRef } from "../policy-object.ts";
import { objectName, text } from "./scalars.ts";
import { given, list, object, oneOf, refused, type Schema } from "./schema.ts";

/** A policy's spec, and what it attaches to. */
export interface Attached<T> {
  readonly targets: readonly TargetRef[];
  readonly spec: T;
}

type TargetKind = TargetRef["kind"];

const groups: Readonly<Record<TargetKind, string>> = {
  Service: "",
  HTTPRoute: "gateway.networking.k8s.io",
  GRPCRoute: "gateway.networking.k8s.io",
};

/** At most 16 objects in the policy's own namespace; empty: the policy is the default of its namespace. */
export function targetRefs(kinds: readonly TargetKind[]): Schema<readonly TargetRef[]> {
  const targetRef = object({
    group: text({ minLength: 0, maxLength: 253 }).describe("The kind's API group, empty for a Service.").optional(),
    kind: oneOf(kinds).describe("The kind of the object."),
    name: objectName().describe("Its name, in the policy's namespace."),
    namespace: refused("a policy attaches to objects of its own namespace only"),
    sectionName: text({ maxLength: 253 })
      .describe("A port of the Service, by name or number, or a rule of the route, by name.")
      .optional(),
  }).check({
    cel: kinds
      .map((kind) => `self.kind != '${kind}' || !has(self.group) || self.group == '${groups[kind]}'`)
      .map((rule) => `(${rule})`)
      .join(" && "),
    says: "group must be that of the kind",
    field: "group",
    find: ({ group, kind }) =>
      group === undefined || group === groups[kind]
        ? undefined
        : `must be ${JSON.stringify(groups[kind])} for a ${kind}, got ${JSON.stringify(group)}`,
  });
  return list(
    targetRef.map(({ kind, name, sectionName }): TargetRef => ({ kind, name, ...given({ sectionName }) })),
    { max: 16, unique: ({ kind, name, sectionName = "" }) => `${kind} ${name}${sectionName && ` ${sectionName}`}` },
  )
    .describe("What the policy attaches to; without any, it is the default of its namespace.")
    .or([]);
}
