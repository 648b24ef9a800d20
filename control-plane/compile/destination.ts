/** Compiles the Destinations of a Service: what a sidecar does with a request that an application sends there. */

import { withoutTimeoutPolicy } from "../../model/defaults.ts";
import type { SplitBackend } from "../../model/policy.ts";
import type { Destination, Route, WeightedBackend } from "../../model/resources.ts";
import type { IndexView, PolicyOf } from "../index/facts.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { resolveBackend } from "./backend.ts";
import { type MeshNames, servicePortName } from "./names.ts";
import { readProtocol } from "./protocol.ts";

/** One per TCP port; none for an ExternalName, which leads out of the mesh. */
export function compileDestinations(view: IndexView, namespace: string, name: string, names: MeshNames): Destination[] {
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") return [];
  return service.ports.map((port) => ({
    name: servicePortName(service, port.port, names),
    service: { namespace, name },
    protocol: readProtocol(port),
    routes: compileRoutes(view, service, port, names),
  }));
}

/** The split that holds for the port, its matches first; without one, everything goes to the Service itself. */
function compileRoutes(view: IndexView, service: Service, port: ServicePort, names: MeshNames): Route[] {
  const retry = view.policyFor("RetryPolicy", service, port)?.spec;
  const timeout = view.policyFor("TimeoutPolicy", service, port)?.spec ?? withoutTimeoutPolicy;
  const policies = { ...(retry === undefined ? {} : { retry }), timeout };
  const split = view.policyFor("TrafficSplit", service, port);
  if (split === undefined) {
    const { namespace, name } = service;
    const endpoints = servicePortName(service, port.port, names);
    return [
      { name: "default", matches: [], backends: [{ endpoints, service: { namespace, name }, weight: 1 }], ...policies },
    ];
  }
  const name = `TrafficSplit ${split.namespace}/${split.name}`;
  const backends = (of: readonly SplitBackend[]) =>
    of.flatMap((b) => compileBackend(view, split, b, port, names) ?? []);
  return [
    ...split.spec.match.map((entry, index) => ({
      name: `${name} match ${index}`,
      matches: [entry.match],
      backends: backends(entry.backends),
      ...policies,
    })),
    { name, matches: [], backends: backends(split.spec.backends), ...policies },
  ];
}

/**
 * A backend that can't be resolved keeps its share, as in Gateway API: what falls to it is refused with `no_endpoints`, not
 * moved to others. It then names Endpoints that do not exist. Undefined: it has no share, and is not there.
 */
function compileBackend(
  view: IndexView,
  split: PolicyOf<"TrafficSplit">,
  backend: SplitBackend,
  dialled: ServicePort,
  names: MeshNames,
): WeightedBackend | undefined {
  const { weight } = backend;
  const service = { namespace: backend.namespace ?? split.namespace, name: backend.service };
  const resolved = resolveBackend(view, split, backend, dialled.port);
  if (resolved.ok) return { endpoints: servicePortName(service, resolved.value.port, names), service, weight };
  if (weight === 0) return undefined;
  const missing = servicePortName(service, backend.port ?? dialled.port, names);
  // The Endpoints of a Service that may not be used do exist, so they must not be named.
  return { endpoints: resolved.error.reason === "RefNotPermitted" ? `refused.${missing}` : missing, service, weight };
}
