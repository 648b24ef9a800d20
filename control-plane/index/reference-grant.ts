/**
 * ReferenceGrant: a namespace's consent that policies of others refer to its Services
 * (https://gateway-api.sigs.k8s.io/api-types/referencegrant/).
 */

import type { PolicyKind } from "../../model/policy-object.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { KubeObject } from "../source/kube-object.ts";
import { Fields } from "./fields.ts";
import { isRouteKind, type RouteKind } from "./gateway-routes.ts";

export interface ReferenceGrant {
  /** The namespace that consents. */
  readonly namespace: string;
  readonly name: string;
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Only Services; an absent name means all of them. */
  readonly services: readonly { readonly name?: string }[];
}

export function readReferenceGrant(object: KubeObject): Result<ReferenceGrant, FieldError[]> {
  const errors: FieldError[] = [];
  const spec = new Fields(object.spec, "spec", errors);
  const from = spec.children("from").map((source) => ({
    group: source.string("group") ?? "",
    kind: source.string("kind") ?? "",
    namespace: source.string("namespace") ?? "",
  }));
  const services = spec.children("to").flatMap((target) => {
    const name = target.string("name");
    if ((target.string("group") ?? "") !== "" || target.string("kind") !== "Service") return [];
    return [name === undefined ? {} : { name }];
  });
  const { namespace, name } = object.metadata;
  return errors.length === 0 ? ok({ namespace, name, from, services }) : err(errors);
}

/** Whether a grant lets policies or routes of a kind and namespace refer to a Service in the grant's namespace. */
export function permits(grant: ReferenceGrant, kind: PolicyKind | RouteKind, from: string, service: string): boolean {
  const group = isRouteKind(kind) ? "gateway.networking.k8s.io" : "tulle.dev";
  return (
    grant.from.some((source) => source.group === group && source.kind === kind && source.namespace === from) &&
    grant.services.some(({ name }) => name === undefined || name === service)
  );
}
