/** Which routes apply to a Service port: whose they are, and of which kind. */

import type { GatewayRoute } from "../../model/gateway-route.ts";
import type { IndexView } from "../index/facts.ts";
import { isBoundTo } from "../index/gateway-routes.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { protocolOf } from "./protocol.ts";

/**
 * The routes that one namespace has bound to a Service port. In the Service's own they are its producer's, else a
 * consumer's.
 */
export interface Claim {
  readonly namespace: string;
  /** All of one kind, older first; never empty. */
  readonly routes: readonly GatewayRoute[];
}

/** Sorted by namespace. */
export function claimsOn(view: IndexView, service: Service, port: ServicePort): Claim[] {
  if (!mayCarryHttp(view, service, port)) return [];
  const bound = view.routesOf(service).filter((route) => isBoundTo(route, service, port));
  const namespaces = [...new Set(bound.map(({ namespace }) => namespace))].sort();
  return namespaces.map((namespace) => {
    return { namespace, routes: ofOneKind(bound.filter((route) => route.namespace === namespace)) };
  });
}

/**
 * GRPCRoutes take precedence: beside them HTTPRoutes are ignored (https://gateway-api.sigs.k8s.io/geps/gep-1426/#route-types).
 */
function ofOneKind(routes: readonly GatewayRoute[]): readonly GatewayRoute[] {
  const grpc = routes.filter(({ kind }) => kind === "GRPCRoute");
  return grpc.length > 0 ? grpc : routes;
}

/** False for opaque ports and the application's own TLS: nobody looks into their bytes. */
export function mayCarryHttp(view: IndexView, service: Service, port: ServicePort): boolean {
  const protocol = protocolOf(view, service, port);
  return protocol !== "opaque" && protocol !== "tls";
}
