/** References to backends (https://gateway-api.sigs.k8s.io/reference/spec/#backendobjectreference). */

import type { BackendRef } from "../gateway-route.ts";
import { labelName, objectName, port, text } from "./scalars.ts";
import { given, type Place } from "./schema.ts";

/** Fields to be spread into an `object`; `toBackendRef` turns the result into a reference. */
export const backendRefFields = {
  group: text({ minLength: 0, maxLength: 253 }).or(""),
  kind: text({ maxLength: 63 }).or("Service"),
  namespace: labelName().optional(),
  name: objectName(),
  port: port().optional(),
};

interface BackendFields {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly port: number | undefined;
}

export function toBackendRef({ group, kind, namespace, name, port }: BackendFields, at: Place): BackendRef | undefined {
  if (group !== "" || kind !== "Service") return { kind: "unsupported", what: `${kind} ${name}` };
  if (port === undefined) return at.field("port").fail("is required for a Service");
  return { kind: "service", ...given({ namespace }), name, port };
}
