/** Compiles the Endpoints of a Service: which pods serve each of its ports, where, and under which breaker. */

import type { Endpoint, Endpoints } from "../../model/resources.ts";
import { formatSpiffeId } from "../../model/spiffe.ts";
import type { IndexView } from "../index/facts.ts";
import type { Pod } from "../index/pod.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { compareStrings } from "../source/problem.ts";
import { type MeshNames, servicePortName } from "./names.ts";
import { readProtocol } from "./protocol.ts";

/** One per TCP port; none for an ExternalName, which is an alias in DNS and has no pods. */
export function compileEndpoints(view: IndexView, namespace: string, name: string, names: MeshNames): Endpoints[] {
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") return [];
  const pods = view.podsOf(namespace, name);
  return service.ports.map((port) => {
    const breaker = view.policyFor("CircuitBreaker", service, port)?.spec;
    return {
      name: servicePortName(service, port.port, names),
      service: { namespace, name },
      protocol: readProtocol(port),
      ...(breaker === undefined ? {} : { breaker }),
      endpoints: pods
        .flatMap((pod) => endpointOf(pod, service, port, names) ?? [])
        .sort((a, b) => compareStrings(a.address, b.address)),
    };
  });
}

/** Undefined: the pod does not serve this port now. */
function endpointOf(pod: Pod, service: Service, port: ServicePort, names: MeshNames): Endpoint | undefined {
  if (pod.ip === undefined || !(pod.ready || (service.publishNotReadyAddresses && !pod.terminating))) return undefined;
  const target = targetPort(pod, port);
  if (target === undefined) return undefined;
  return {
    address: pod.ip.includes(":") ? `[${pod.ip}]:${target}` : `${pod.ip}:${target}`,
    pod: pod.name,
    ...(pod.meshed ? { identity: identityOf(pod, names) } : {}),
    state: pod.terminating ? "terminating" : "ready",
    ...(pod.zone === undefined ? {} : { zone: pod.zone }),
  };
}

/** The container port behind a Service port; a name that the pod does not have leads nowhere. */
export function targetPort(pod: Pick<Pod, "ports">, { targetPort: target }: ServicePort): number | undefined {
  return typeof target === "number" ? target : pod.ports.find(({ name }) => name === target)?.port;
}

/** The SPIFFE id of what runs under a service account. */
export function identityOf(pod: Pick<Pod, "namespace" | "serviceAccount">, { trustDomain }: MeshNames): string {
  return formatSpiffeId({ trustDomain, namespace: pod.namespace, serviceAccount: pod.serviceAccount });
}
