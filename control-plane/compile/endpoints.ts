/** Compiles the Endpoints of a Service: which pods serve each of its ports, where, and under which breaker. */

import type { Endpoint, Endpoints, KnownKeys } from "../../model/resources.ts";
import { formatSpiffeId } from "../../model/spiffe.ts";
import type { IndexView } from "../index/facts.ts";
import type { Pod } from "../index/pod.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { compareStrings } from "../source/problem.ts";
import { type MeshNames, servicePortName } from "./names.ts";
import { protocolOf } from "./protocol.ts";
import { serverPolicy } from "./server-policies.ts";
import { targetPort } from "./target-port.ts";

/** One per TCP port; none for an ExternalName, which is an alias in DNS and has no pods. */
export function compileEndpoints(view: IndexView, namespace: string, name: string, names: MeshNames): Endpoints[] {
  const service = view.service(namespace, name);
  if (service === undefined || service.type === "ExternalName") return [];
  const pods = view.podsOf(namespace, name);
  return service.ports.map((port) => {
    const breaker = view.policyFor("CircuitBreaker", service, port)?.spec;
    const { warmUpMs, nodeLocal, affinityMs } = service;
    const idempotency = knownKeys(view, pods, port);
    return {
      name: servicePortName(service, port.port, names),
      service: { namespace, name },
      protocol: protocolOf(view, service, port),
      ...(breaker === undefined ? {} : { breaker }),
      ...(warmUpMs === undefined ? {} : { warmUpMs }),
      ...(nodeLocal && { nodeLocal }),
      ...(affinityMs === undefined ? {} : { affinityMs }),
      ...(idempotency === undefined ? {} : { idempotency }),
      endpoints: pods
        .flatMap((pod) => endpointOf(pod, service, port, names) ?? [])
        .sort((a, b) => compareStrings(a.address, b.address) || compareStrings(a.state, b.state))
        .filter(({ address }, at, all) => address !== all[at - 1]?.address),
    };
  });
}

/**
 * What callers may rely on whichever pod they reach: only what all pods have in common, and nothing while any of them has no
 * sidecar. Pods that are not ready count, since they may become ready at any time.
 */
export function knownKeys(view: IndexView, pods: readonly Pod[], port: ServicePort): KnownKeys | undefined {
  const held = pods.map((pod) => {
    const target = targetPort(pod, port);
    return pod.meshed && target !== undefined ? serverPolicy(view, "IdempotencyPolicy", pod, target)?.spec : undefined;
  });
  const [first, ...others] = held;
  if (first === undefined) return undefined;
  const methods = first.methods.filter((method) => others.every((spec) => spec?.methods.includes(method)));
  if (methods.length === 0) return undefined;
  return { methods, store: held.every((spec) => spec?.store === "redis") ? "redis" : "memory" };
}

/** Undefined: the pod does not serve this port now. */
function endpointOf(pod: Pod, service: Service, port: ServicePort, names: MeshNames): Endpoint | undefined {
  const target = targetPort(pod, port);
  const state = stateOf(pod, service);
  const endpoint = target === undefined || state === undefined ? undefined : podEndpoint(pod, target, state, names);
  return endpoint && { ...endpoint, ...hintsOf(pod, service) };
}

/** A container port of a pod, as its callers see it; undefined while the pod has no address. */
export function podEndpoint(
  pod: Pod,
  target: number,
  state: Endpoint["state"],
  names: MeshNames,
): Endpoint | undefined {
  if (pod.ip === undefined) return undefined;
  const host = pod.ip.includes(":") ? `[${pod.ip}]` : pod.ip;
  return {
    // A template literal would keep its parts besides the whole, and a large cluster has a hundred thousand of these.
    address: [host, target].join(":"),
    pod: pod.name,
    ...(pod.meshed ? { identity: identityOf(pod, names) } : {}),
    state,
    ...(pod.node === undefined ? {} : { node: pod.node }),
    ...(pod.zone === undefined ? {} : { zone: pod.zone }),
  };
}

/** Follows an EndpointSlice's conditions. A pod that is terminating remains useful while it serves: it may be the last one. */
function stateOf({ ready, terminating }: Pod, { publishNotReadyAddresses }: Service): Endpoint["state"] | undefined {
  if (publishNotReadyAddresses) return "ready";
  if (!ready) return undefined;
  return terminating ? "terminating" : "ready";
}

/** The given hints, or else those that the cluster's own controller would derive from `trafficDistribution`. */
function hintsOf(
  { forZones, forNodes, zone, node }: Pod,
  { prefer }: Service,
): Pick<Endpoint, "forZones" | "forNodes"> {
  const zones = forZones ?? (prefer !== undefined && zone !== undefined ? [zone] : undefined);
  const nodes = forNodes ?? (prefer === "same-node" && node !== undefined ? [node] : undefined);
  return { ...(zones && { forZones: zones }), ...(nodes && { forNodes: nodes }) };
}

/** The SPIFFE id of a pod, from its service account. */
export function identityOf(pod: Pick<Pod, "namespace" | "serviceAccount">, { trustDomain }: MeshNames): string {
  return formatSpiffeId({ trustDomain, namespace: pod.namespace, serviceAccount: pod.serviceAccount });
}
