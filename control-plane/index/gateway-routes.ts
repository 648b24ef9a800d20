/** HTTPRoutes and GRPCRoutes, found by the Services that are their parents. */

import { compareRoutes } from "../../model/gateway-order.ts";
import type { GatewayRoute, RouteParent } from "../../model/gateway-route.ts";
import type { ServiceRef } from "../../model/resources.ts";
import type { KubeObject } from "../source/kube-object.ts";
import { type Fact, facts } from "./facts.ts";
import { Fields } from "./fields.ts";
import type { ServicePort } from "./service.ts";

export type RouteKind = GatewayRoute["kind"];

export function isRouteKind(kind: string): kind is RouteKind {
  return kind === "HTTPRoute" || kind === "GRPCRoute";
}

export class GatewayRoutes {
  /** By `kind namespace/name`. */
  readonly #routes = new Map<string, GatewayRoute>();
  /** By `namespace/name` of the Service. */
  readonly #byService = new Map<string, Set<GatewayRoute>>();

  toggle(route: GatewayRoute, present: boolean, touched: Set<Fact>): void {
    const key = keyOf(route.kind, route.namespace, route.name);
    if (present) this.#routes.set(key, route);
    else this.#routes.delete(key);
    for (const { namespace, name } of servicesOf(route)) {
      const service = `${namespace}/${name}`;
      const routes = this.#byService.get(service) ?? new Set();
      if (present) routes.add(route);
      else routes.delete(route);
      if (routes.size > 0) this.#byService.set(service, routes);
      else this.#byService.delete(service);
      touched.add(facts.attachedTo(namespace, name));
    }
  }

  get(kind: RouteKind, namespace: string, name: string): GatewayRoute | undefined {
    return this.#routes.get(keyOf(kind, namespace, name));
  }

  /** Older first, see `compareRoutes`. */
  of({ namespace, name }: ServiceRef): readonly GatewayRoute[] {
    return [...(this.#byService.get(`${namespace}/${name}`) ?? [])].sort(compareRoutes);
  }
}

function keyOf(kind: RouteKind, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name}`;
}

/** Whether a parent is the core group's Service; other kinds of parents are for other programs. */
export function isServiceParent({ group, kind }: RouteParent): boolean {
  return group === "" && kind === "Service";
}

function servicesOf(route: GatewayRoute): ServiceRef[] {
  return route.parents
    .filter(isServiceParent)
    .map(({ namespace, name }) => ({ namespace: namespace ?? route.namespace, name }));
}

/** Whether a parent names this Service port: by number, by name, or, without either, all ports. */
export function namesPort({ port, sectionName }: RouteParent, of: ServicePort): boolean {
  return (port === undefined || port === of.port) && (sectionName === undefined || sectionName === of.name);
}

/** Whether one of a route's parents is this port of a Service. */
export function isBoundTo(route: GatewayRoute, service: ServiceRef, port: ServicePort): boolean {
  return route.parents.some(
    (parent) =>
      isServiceParent(parent) &&
      parent.name === service.name &&
      (parent.namespace ?? route.namespace) === service.namespace &&
      namesPort(parent, port),
  );
}

/** Whether one of a route's parents is a Service. Otherwise the route belongs to a Gateway, which the mesh ignores. */
export function leadsToService({ spec }: Pick<KubeObject, "spec">): boolean {
  return new Fields(spec, "spec", []).children("parentRefs").some((parent) => parent.string("kind") === "Service");
}
