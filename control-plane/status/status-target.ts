/** Where each status belongs in the API, and how it gets there. Pure. */

import { isPolicyKind } from "../../model/parse/policy.ts";
import { pluralOf, policyApiVersion } from "../../model/policy-object.ts";
import type { Condition } from "./condition.ts";
import type { PolicyStatus } from "./policy-status.ts";
import type { RouteStatus } from "./route-status.ts";
import { nextPolicyStatus, nextRouteStatus } from "./written-status.ts";

export interface StatusTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The object's path; its status is a subresource of it. */
  readonly path: string;
  /** The object that this is about: another may have its name by now. Undefined: whichever has. */
  readonly uid: string | undefined;
  /** The generation of the object that this is about. */
  readonly generation: number | undefined;
  /** The conditions to write; problems are also reported as Events. */
  readonly conditions: readonly Condition[];
  /** See `written-status.ts`. */
  readonly next: (current: unknown, now: string) => object | undefined;
}

type ToldRoute = Pick<RouteStatus, "kind" | "namespace" | "name" | "uid" | "observedGeneration" | "parents">;

const gatewayApiVersion = "gateway.networking.k8s.io/v1";

/** Undefined for a kind that the API server does not know either. */
export function policyTarget(status: PolicyStatus): StatusTarget | undefined {
  const { kind, conditions } = status;
  if (!isPolicyKind(kind)) return undefined;
  return {
    ...place(status, policyApiVersion, pluralOf(kind)),
    conditions,
    next: (current, now) => nextPolicyStatus(current, status, now),
  };
}

export function routeTarget(status: ToldRoute): StatusTarget {
  const { kind, parents } = status;
  return {
    ...place(status, gatewayApiVersion, `${kind.toLowerCase()}s`),
    conditions: parents.flatMap(({ conditions }) => conditions),
    next: (current, now) => nextRouteStatus(current, status, now),
  };
}

/** Identifies the object among all targets. */
export function targetKey({ kind, namespace, name }: StatusTarget): string {
  return `${kind} ${namespace}/${name}`;
}

function place(
  { kind, namespace, name, uid, observedGeneration }: Omit<ToldRoute, "parents">,
  apiVersion: string,
  plural: string,
) {
  const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`;
  return { apiVersion, kind, namespace, name, path, uid, generation: observedGeneration };
}
