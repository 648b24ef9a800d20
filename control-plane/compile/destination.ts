/** Compiles the Destinations of a Service: what a sidecar does with a request to it. */

import { withoutTimeoutPolicy } from "../../model/defaults.ts";
import type { Destination, Route } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { claimsOn } from "./claims.ts";
import { compileGatewayRoutes } from "./gateway-routes.ts";
import { type MeshNames, servicePortName } from "./names.ts";
import { protocolOf } from "./protocol.ts";
import { compileTrafficSplit } from "./traffic-split.ts";

/** One Destination per TCP port; none for an ExternalName, which points out of the mesh. */
export function compileDestinations(view: IndexView, namespace: string, name: string, names: MeshNames): Destination[] {
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") return [];
  return service.ports.map((port) => compileDestination(view, service, port, names));
}

/** The producer's routes apply to all callers, a consumer's to those in its namespace. */
export function compileDestination(
  view: IndexView,
  service: Service,
  port: ServicePort,
  names: MeshNames,
): Destination {
  const { namespace, name } = service;
  const claims = claimsOn(view, service, port);
  const producer = claims.find((claim) => claim.namespace === namespace);
  const telemetry = view.policyFor("TelemetryPolicy", service, port)?.spec;
  const frontend = { view, service, port, names };
  const consumers = claims
    .filter((claim) => claim !== producer)
    .map((claim) => ({ namespace: claim.namespace, routes: compileGatewayRoutes(frontend, claim.routes) }));
  return {
    name: servicePortName(service, port.port, names),
    service: { namespace, name },
    protocol: protocolOf(view, service, port),
    routes:
      producer === undefined
        ? compileWithoutRoutes(view, service, port, names)
        : compileGatewayRoutes(frontend, producer.routes),
    ...(consumers.length > 0 && { consumers }),
    ...telemetry,
  };
}

/** The routes of the split that applies to the port; without one, everything goes to the Service itself. */
function compileWithoutRoutes(view: IndexView, service: Service, port: ServicePort, names: MeshNames): Route[] {
  const { namespace, name } = service;
  const retry = view.policyFor("RetryPolicy", service, port)?.spec;
  const timeout = view.policyFor("TimeoutPolicy", service, port)?.spec ?? withoutTimeoutPolicy;
  const fault = view.policyFor("FaultInjection", service, port)?.spec;
  const policies = { ...(retry && { retry }), timeout, ...(fault && { fault }) };
  const split = view.policyFor("TrafficSplit", service, port);
  if (split !== undefined) {
    return compileTrafficSplit(view, split, { namespace, name, port: port.port }, policies, names);
  }
  const endpoints = servicePortName(service, port.port, names);
  return [
    { name: "default", matches: [], backends: [{ endpoints, service: { namespace, name }, weight: 1 }], ...policies },
  ];
}
