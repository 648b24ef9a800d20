/**
 * What one sidecar has now: its own workload's policy, what its application has dialled, and the state of its breakers. It
 * does not know the names of policies; the sidecars at the other end know what they would answer.
 */

import { parseDialledAddress } from "../../control-plane/compile/dialled-address.ts";
import { servicePortName } from "../../control-plane/compile/names.ts";
import { splitAddress } from "../../model/address.ts";
import type { Destination, Endpoints, Inbound, ResourceKind } from "../../model/resources.ts";
import type { LiveSnapshot } from "../../sidecar/debug/debug-pages.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import { knownServers, type ServingPod } from "./known-servers.ts";
import type { KnownServer, MeshFacts } from "./mesh-facts.ts";

/** Pods of one workload behind a backend, with the policy that their own sidecars apply. */
export interface LiveServer {
  /** `namespace/name` */
  readonly pods: ReadonlySet<string>;
  readonly inbound: Inbound;
}

export function liveFacts(
  { identity, resources, breakers }: LiveSnapshot,
  domains: MeshDomains,
  servers: readonly LiveServer[] = [],
): MeshFacts {
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
    serversOf: ({ endpoints: name, service: { namespace } }) =>
      serversBehind(endpoints.get(name) as Endpoints | undefined, namespace, servers),
    breakerState: (name, address) => states.get(`${name} ${address}`),
  };
}

/**
 * Behind a redirect a Service is dialled by its address, which leads where its name would; a pod's address leads to that pod
 * alone.
 */
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

function serversBehind(
  backend: Endpoints | undefined,
  namespace: string,
  servers: readonly LiveServer[],
): KnownServer[] {
  const serving = (backend?.endpoints ?? []).flatMap(({ address, pod: name }): ServingPod[] => {
    const pod = `${namespace}/${name}`;
    const inbound = servers.find(({ pods }) => pods.has(pod))?.inbound;
    const { port } = splitAddress(address);
    return inbound === undefined || port === undefined ? [] : [{ pod, port, inbound }];
  });
  return knownServers(serving);
}
