/** Compiles the Destinations of a Service: what a sidecar does with a request that an application sends there. */

import type { TimeoutPolicy } from "../../model/policy.ts";
import type { Destination, Route } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { type MeshNames, servicePortName } from "./names.ts";
import { readProtocol } from "./protocol.ts";

/** Where no TimeoutPolicy holds: a request may take as long as it likes, a connection may not. */
const timeoutWithoutPolicy: TimeoutPolicy = { connectMs: 1_000 };

/** One per TCP port; none for an ExternalName, which leads out of the mesh. */
export function compileDestinations(view: IndexView, namespace: string, name: string, names: MeshNames): Destination[] {
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") return [];
  return service.ports.map((port) => ({
    name: servicePortName(service, port.port, names),
    service: { namespace, name },
    protocol: readProtocol(port),
    routes: [defaultRoute(service, port, names)],
  }));
}

function defaultRoute(service: Service, port: ServicePort, names: MeshNames): Route {
  const { namespace, name } = service;
  return {
    name: "default",
    matches: [],
    backends: [{ endpoints: servicePortName(service, port.port, names), service: { namespace, name }, weight: 1 }],
    timeout: timeoutWithoutPolicy,
  };
}
