/**
 * What one sidecar goes by now: its own workload, what its application has dialled, and the state of its breakers. It knows
 * neither the names of policies nor what others' sidecars would say.
 */

import { parseDialledAddress } from "../../control-plane/compile/dialled-address.ts";
import { servicePortName } from "../../control-plane/compile/names.ts";
import type { Destination, Endpoints, ResourceKind } from "../../model/resources.ts";
import type { LiveSnapshot } from "../../sidecar/debug/debug-pages.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import type { MeshFacts } from "./mesh-facts.ts";

export function liveFacts({ identity, resources, breakers }: LiveSnapshot, domains: MeshDomains): MeshFacts {
  const byName = (kind: ResourceKind) =>
    new Map(resources.filter((resource) => resource.kind === kind).map(({ value }) => [value.name, value]));
  const destinations = byName("destination") as Map<string, Destination>;
  const services = servicesByName(destinations, domains);
  const endpoints = byName("endpoints");
  const states = new Map(breakers.map(({ backend, endpoint, state }) => [`${backend} ${endpoint}`, state]));
  return {
    ...domains,
    destination: (name) => destinations.get(name) ?? services.get(name),
    unknown: (name) => `this sidecar has not been asked for ${name} lately`,
    destinations: () => [...destinations.keys()].sort(),
    endpoints: (name) => endpoints.get(name) as Endpoints | undefined,
    identityOf: () => identity,
    policiesOf: () => ({}),
    serversOf: () => [],
    breakerState: (name, address) => states.get(`${name} ${address}`),
  };
}

/** Behind a redirect a Service is dialled by its address, and leads where its name would; a pod's address leads to that pod alone. */
function servicesByName(
  destinations: ReadonlyMap<string, Destination>,
  domains: MeshDomains,
): ReadonlyMap<string, Destination> {
  const services = new Map<string, Destination>();
  for (const destination of destinations.values()) {
    const dialled = parseDialledAddress(destination.name);
    const isPod = destination.routes.some(({ backends }) => backends[0]?.endpoints === destination.name);
    if (dialled === undefined || isPod) continue;
    services.set(servicePortName(destination.service, dialled.port, domains), destination);
  }
  return services;
}
