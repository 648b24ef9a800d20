/**
 * What one sidecar goes by now: its own workload, what its application has dialled, and the state of its breakers. It knows
 * neither the names of policies nor what others' sidecars would say.
 */

import type { Destination, Endpoints, ResourceKind } from "../../model/resources.ts";
import type { LiveSnapshot } from "../../sidecar/debug/debug-pages.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import type { MeshFacts } from "./mesh-facts.ts";

export function liveFacts({ identity, resources, breakers }: LiveSnapshot, domains: MeshDomains): MeshFacts {
  const byName = (kind: ResourceKind) =>
    new Map(resources.filter((resource) => resource.kind === kind).map(({ value }) => [value.name, value]));
  const destinations = byName("destination");
  const endpoints = byName("endpoints");
  const states = new Map(breakers.map(({ backend, endpoint, state }) => [`${backend} ${endpoint}`, state]));
  return {
    ...domains,
    destination: (name) => destinations.get(name) as Destination | undefined,
    unknown: (name) => `this sidecar has not been asked for ${name} lately`,
    destinations: () => [...destinations.keys()].sort(),
    endpoints: (name) => endpoints.get(name) as Endpoints | undefined,
    identityOf: () => identity,
    policiesOf: () => ({}),
    serversOf: () => [],
    breakerState: (name, address) => states.get(`${name} ${address}`),
  };
}
