/**
 * Compiles destinations dialled by IP address and port, as redirected connections are. A Service's address leads where its
 * name leads. A pod's own address leads to that pod alone, with its identity and its Service's breaker, and no routes; so
 * does a pod's name under a headless Service, as a StatefulSet's pods have, because DNS resolves it to the pod's address.
 */

import net from "node:net";
import { withoutTimeoutPolicy } from "../../model/defaults.ts";
import type { Destination, Endpoints, Resource, ResourceKind, ServiceRef } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import { type Pod, selects } from "../index/pod.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { compileDestination } from "./destination.ts";
import { knownKeys, podEndpoint } from "./endpoints.ts";
import { protocolsOf } from "./inbound.ts";
import type { MeshNames } from "./names.ts";
import { targetPort } from "./target-port.ts";

export interface DialledAddress {
  /** The name of the resources: `10.96.0.5:80`, `[fd00:96::5]:80`. */
  readonly name: string;
  readonly ip: string;
  readonly port: number;
}

/** `db-0.db.shop.svc.cluster.local:5432` */
export interface DialledPod {
  readonly name: string;
  readonly hostname: string;
  /** The headless Service. */
  readonly service: ServiceRef;
  readonly port: number;
}

/** Undefined: the name of a Service's port, or not a name at all. */
export function parseDialled(name: string, names: MeshNames): DialledAddress | DialledPod | undefined {
  return parseDialledAddress(name) ?? parseDialledPod(name, names);
}

function parseDialledPod(name: string, { clusterDomain }: MeshNames): DialledPod | undefined {
  const [, host = "", digits] = /^([^:]+):(\d{1,5})$/.exec(name) ?? [];
  const suffix = `.svc.${clusterDomain}`;
  if (!host.endsWith(suffix)) return undefined;
  const [hostname = "", service, namespace, ...others] = host.slice(0, -suffix.length).split(".");
  if (service === undefined || namespace === undefined || others.length > 0) return undefined;
  return { name, hostname, service: { namespace, name: service }, port: Number(digits) };
}

/** Undefined: a DNS name, or not a name at all. */
export function parseDialledAddress(name: string): DialledAddress | undefined {
  const [, ipv6, ipv4, digits] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(name) ?? [];
  const ip = ipv6 ?? ipv4 ?? "";
  return net.isIP(ip) === 0 ? undefined : { name, ip, port: Number(digits) };
}

/** Undefined: the address is not in the mesh, and traffic to it is passed on as it is. */
export function compileDialled(
  view: IndexView,
  kind: ResourceKind,
  dialled: DialledAddress | DialledPod,
  names: MeshNames,
): Resource | undefined {
  const ip = "ip" in dialled ? dialled.ip : ipOf(view, dialled);
  const owner = ip === undefined ? undefined : view.addressOwner(ip);
  if (kind === "inbound" || owner === undefined) return undefined;
  if (owner.kind === "service") {
    const value = kind === "destination" ? compileServiceAddress(view, owner.service, dialled, names) : undefined;
    return value && { kind: "destination", value };
  }
  const served = servedPort(view, owner.pod, dialled);
  if (served === undefined) return undefined;
  if (kind === "destination") return { kind, value: podDestination(view, served) };
  return { kind, value: podEndpoints(view, served, names) };
}

/** DNS has no names for pods of a Service that has an address of its own. */
function ipOf(view: IndexView, { hostname, service: { namespace, name } }: DialledPod): string | undefined {
  if (view.service(namespace, name)?.clusterIps.length !== 0) return undefined;
  return view.podsOf(namespace, name).find((pod) => pod.hostname === hostname)?.ip;
}

/** Undefined also if the Service has neither a selector nor pods: then whoever set it up decided where it leads. */
function compileServiceAddress(
  view: IndexView,
  service: Service,
  { name, port }: DialledAddress | DialledPod,
  names: MeshNames,
): Destination | undefined {
  const dialled = service.ports.find((servicePort) => servicePort.port === port);
  if (dialled === undefined) return undefined;
  if (service.selector.size === 0 && view.podsOf(service.namespace, service.name).length === 0) return undefined;
  return { ...compileDestination(view, service, dialled, names), name };
}

/** A port of a pod that was dialled by the pod's address or name. */
interface ServedPort {
  readonly name: string;
  readonly pod: Pod;
  readonly port: number;
  /** What all resources for this port share. */
  readonly shared: Pick<Destination, "service" | "protocol">;
  /** The port of the Service that points to it; if there are several Services, the first by name. */
  readonly servicePort: ServicePort;
}

/** Undefined: the pod's sidecar does not accept this port from peers. */
function servedPort(view: IndexView, pod: Pod, { name, port }: DialledAddress | DialledPod): ServedPort | undefined {
  const protocol = pod.meshed ? protocolsOf(view, pod).get(port) : undefined;
  if (protocol === undefined) return undefined;
  const { namespace } = pod;
  for (const service of view.servicesIn(namespace)) {
    const servicePort = service.ports.find((candidate) => targetPort(pod, candidate) === port);
    if (servicePort === undefined || !selects(service.selector, pod.labels)) continue;
    return { name, pod, port, servicePort, shared: { service: { namespace, name: service.name }, protocol } };
  }
  // A port behind no Service gets only the defaults of the namespace and the mesh.
  const servicePort = { port, targetPort: port };
  return { name, pod, port, servicePort, shared: { service: { namespace, name: pod.name }, protocol } };
}

function podDestination(view: IndexView, { name, shared, servicePort }: ServedPort): Destination {
  const { service } = shared;
  const backends = [{ endpoints: name, service, weight: 1 }];
  const telemetry = view.policyFor("TelemetryPolicy", service, servicePort)?.spec;
  const route = { name: "default", matches: [], backends, timeout: withoutTimeoutPolicy };
  return { name, ...shared, routes: [route], ...telemetry };
}

/** Endpoints of that pod alone, ready or not: a caller that dials it means it. */
function podEndpoints(
  view: IndexView,
  { name, pod, port, shared, servicePort }: ServedPort,
  names: MeshNames,
): Endpoints {
  const breaker = view.policyFor("CircuitBreaker", shared.service, servicePort)?.spec;
  const endpoint = podEndpoint(pod, port, "ready", names);
  const endpoints = endpoint === undefined ? [] : [endpoint];
  const idempotency = knownKeys(view, [pod], servicePort);
  return { name, ...shared, ...(breaker && { breaker }), ...(idempotency && { idempotency }), endpoints };
}
