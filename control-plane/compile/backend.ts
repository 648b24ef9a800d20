/** Finds the Service port that a policy or a route refers to. */

import type { PolicyKind } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import { err, ok, type Result } from "../../model/result.ts";
import type { IndexView } from "../index/facts.ts";
import type { RouteKind } from "../index/gateway-routes.ts";
import type { Service } from "../index/service.ts";

/** A Service port that callers ask for. */
export interface Dialled extends ServiceRef {
  readonly port: number;
}

export interface ServiceReference {
  /** Absent: the namespace of the object that contains the reference. */
  readonly namespace?: string;
  readonly service: string;
  /** Absent: the port that was dialled, or else the Service's only one. */
  readonly port?: number;
}

export interface Backend {
  readonly service: Service;
  readonly port: number;
}

export interface UnresolvedBackend {
  readonly reason: "BackendNotFound" | "RefNotPermitted";
  /** The part of the reference that is wrong. */
  readonly field: "namespace" | "service" | "port";
  readonly message: string;
}

/**
 * `from` is the object that contains the reference. A reference to the dialled Service needs no consent: the caller asked for
 * it.
 */
export function resolveBackend(
  view: IndexView,
  from: { readonly kind: PolicyKind | RouteKind; readonly namespace: string },
  ref: ServiceReference,
  dialled: Dialled,
): Result<Backend, UnresolvedBackend> {
  const namespace = ref.namespace ?? from.namespace;
  const { service: name } = ref;
  const isDialled = namespace === dialled.namespace && name === dialled.name;
  if (namespace !== from.namespace && !isDialled && !view.grants(from.kind, from.namespace, { namespace, name })) {
    const message = `a Service of another namespace needs a ReferenceGrant there, got ${JSON.stringify(namespace)}`;
    return err({ reason: "RefNotPermitted", field: "namespace", message });
  }
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") {
    const message = `must be a Service with pods in namespace ${namespace}, got ${JSON.stringify(name)}`;
    return err({ reason: "BackendNotFound", field: "service", message: `${message}${othersIn(view, namespace)}` });
  }
  const wanted = ref.port ?? dialled.port;
  const numbers = service.ports.map(({ port }) => port);
  if (numbers.includes(wanted)) return ok({ service, port: wanted });
  const [only, ...more] = numbers;
  if (ref.port === undefined && only !== undefined && more.length === 0) return ok({ service, port: only });
  const message = `must be a port of Service ${name} (${numbers.join(", ") || "it has none"}), got ${wanted}`;
  return err({ reason: "BackendNotFound", field: ref.port === undefined ? "service" : "port", message });
}

/** Lists the alternatives, for messages; a long list helps nobody, and is left out. */
export function othersIn(view: IndexView, namespace: string): string {
  const names = view.servicesIn(namespace).map(({ name }) => name);
  if (names.length === 0) return "; it has none";
  return names.length <= 12 ? `; there are ${names.join(", ")}` : "";
}
