/** Which objects the mesh reads, and what each of them says. */

import type { GatewayRoute } from "../../model/gateway-route.ts";
import { closedAccessPolicy } from "../../model/parse/closed-access-policy.ts";
import { parseGatewayRoute } from "../../model/parse/gateway-route.ts";
import { parsePolicy } from "../../model/parse/policy.ts";
import { type Policy, policyApiVersion } from "../../model/policy-object.ts";
import { type FieldError, ok, type Result } from "../../model/result.ts";
import { groupOf, type KubeObject } from "../source/kube-object.ts";
import { type WorkloadKind, workloadKinds } from "./backing-pods.ts";
import { type EndpointSlice, readEndpointSlice } from "./endpoint-slice.ts";
import { isRouteKind, leadsToService } from "./gateway-routes.ts";
import { type Pod, readPod, readWorkload, type Workload } from "./pod.ts";
import { type ReferenceGrant, readReferenceGrant } from "./reference-grant.ts";
import { readService, type Service } from "./service.ts";

/** The content of an object, tagged by its reader. */
export type Reading =
  /** `ignored`: errors that were passed over. */
  | { readonly as: "service"; readonly value: Service; readonly ignored: readonly FieldError[] }
  | { readonly as: "pod"; readonly value: Pod }
  | { readonly as: "slice"; readonly value: EndpointSlice }
  | { readonly as: "workload"; readonly kind: WorkloadKind; readonly value: Workload }
  | { readonly as: "grant"; readonly value: ReferenceGrant }
  | { readonly as: "route"; readonly value: GatewayRoute }
  /** `standsIn`: in place of a policy that was never valid. */
  | { readonly as: "policy"; readonly value: Policy; readonly creationTimestamp: string; readonly standsIn?: true };

/** Undefined: the mesh does not read this kind. */
export function readKnown(object: KubeObject): Result<Reading, FieldError[]> | undefined {
  const { kind } = object;
  switch (groupOf(object.apiVersion)) {
    case "":
      if (kind === "Service") {
        const ignored: FieldError[] = [];
        return wrap(readService(object, ignored), (value) => ({ as: "service", value, ignored }));
      }
      if (kind === "Pod") return wrap(readPod(object), (value) => ({ as: "pod", value }));
      return undefined;
    case "discovery.k8s.io": {
      if (kind !== "EndpointSlice") return undefined;
      const slice = readEndpointSlice(object);
      return slice.ok ? slice.value && ok({ as: "slice", value: slice.value }) : slice;
    }
    case "apps": {
      const known = workloadKinds.find((workloadKind) => workloadKind === kind);
      if (known === undefined) return undefined;
      return wrap(readWorkload(object), (value) => ({ as: "workload", kind: known, value }));
    }
    case "gateway.networking.k8s.io":
      if (kind === "ReferenceGrant") return wrap(readReferenceGrant(object), (value) => ({ as: "grant", value }));
      if (!isRouteKind(kind) || !leadsToService(object)) return undefined;
      return wrap(parseGatewayRoute(object), (value) => ({ as: "route", value }));
    case "tulle.dev":
      return wrap(readPolicy(object), (value) => {
        return { as: "policy", value, creationTimestamp: object.metadata.creationTimestamp ?? "" };
      });
    default:
      return undefined;
  }
}

/** What applies in place of an object that was never valid; undefined: nothing does. */
export function readStandIn({ apiVersion, kind, metadata, spec }: KubeObject): Reading | undefined {
  if (apiVersion !== policyApiVersion || kind !== "AccessPolicy") return undefined;
  const closed = closedAccessPolicy(spec);
  const { namespace, name, creationTimestamp = "" } = metadata;
  return closed && { as: "policy", value: { kind, namespace, name, ...closed }, creationTimestamp, standsIn: true };
}

/** Reads the whole object except its origin, so that a misspelt `spec` does not pass for an absent one. */
function readPolicy({ apiVersion, kind, metadata, spec, otherFields }: KubeObject): Result<Policy, FieldError[]> {
  return parsePolicy({
    ...Object.fromEntries(otherFields.map((name) => [name, null])),
    apiVersion,
    kind,
    metadata,
    spec,
  });
}

function wrap<T>(result: Result<T, FieldError[]>, as: (value: T) => Reading): Result<Reading, FieldError[]> {
  return result.ok ? ok(as(result.value)) : result;
}
