/**
 * The parts of an EndpointSlice that the mesh reads (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/),
 * and what all slices of a Service say together: its pods as the cluster sees them, or addresses that are not pods.
 */

import { isIP } from "node:net";
import { canonicalIp } from "../../model/ip-address.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { KubeObject } from "../source/kube-object.ts";
import { compareStrings } from "../source/problem.ts";
import { Fields } from "./fields.ts";
import type { Pod } from "./pod.ts";

export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** A Service in the same namespace. */
  readonly service: string;
  readonly family: "IPv4" | "IPv6";
  /** TCP ports only, by the names of the Service's ports; an unnamed port has the key "". */
  readonly ports: ReadonlyMap<string, number>;
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  readonly address: string;
  /** Accepts new connections: it is ready, or is terminating and still serves. */
  readonly ready: boolean;
  readonly terminating: boolean;
  /** Absent: it is not a pod, or it is unknown which. */
  readonly pod?: { readonly name: string; readonly uid?: string };
  readonly node?: string;
  readonly zone?: string;
  readonly forZones?: readonly string[];
  readonly forNodes?: readonly string[];
  /** Its own name under the Service's. */
  readonly hostname?: string;
}

const serviceLabel = "kubernetes.io/service-name";

/** Undefined: it belongs to no Service, or lists names instead of addresses. */
export function readEndpointSlice(object: KubeObject): Result<EndpointSlice | undefined, FieldError[]> {
  const errors: FieldError[] = [];
  const spec = new Fields(object.spec, "", errors);
  const { namespace, name, labels } = object.metadata;
  const service = labels.get(serviceLabel);
  const family = spec.string("addressType");
  if (service === undefined || (family !== "IPv4" && family !== "IPv6")) return ok(undefined);
  const ports = new Map<string, number>();
  for (const port of spec.children("ports")) {
    const number = port.integer("port", 1, 65_535);
    if (number !== undefined && (port.string("protocol") ?? "TCP") === "TCP")
      ports.set(port.string("name") ?? "", number);
  }
  const endpoints = spec.children("endpoints").flatMap(readEndpoint);
  return errors.length === 0 ? ok({ namespace, name, service, family, ports, endpoints }) : err(errors);
}

/** Only the first of an endpoint's addresses counts in Kubernetes; the field is a list for historical reasons. */
function readEndpoint(fields: Fields): SliceEndpoint[] {
  const address = fields.strings("addresses")?.[0];
  if (address === undefined || isIP(address) === 0) {
    fields.refuse("addresses", "must begin with an IP address", address);
    return [];
  }
  const conditions = fields.child("conditions");
  const ready = conditions.boolean("ready") ?? true;
  const terminating = conditions.boolean("terminating") ?? false;
  const serving = conditions.boolean("serving") ?? ready;
  const pod = readPodReference(fields.child("targetRef"));
  const hostname = fields.string("hostname");
  const node = fields.string("nodeName");
  const zone = fields.string("zone");
  const hints = fields.child("hints");
  const forZones = namesOf(hints.children("forZones"));
  const forNodes = namesOf(hints.children("forNodes"));
  return [
    {
      address,
      ready: ready || (terminating && serving),
      terminating,
      ...(pod && { pod }),
      ...(node === undefined ? {} : { node }),
      ...(zone === undefined ? {} : { zone }),
      ...(forZones.length > 0 && { forZones }),
      ...(forNodes.length > 0 && { forNodes }),
      ...(hostname === undefined ? {} : { hostname }),
    },
  ];
}

function readPodReference(reference: Fields): SliceEndpoint["pod"] | undefined {
  const name = reference.string("name");
  const uid = reference.string("uid");
  if (reference.string("kind") !== "Pod" || name === undefined) return undefined;
  return { name, ...(uid === undefined ? {} : { uid }) };
}

function namesOf(list: readonly Fields[]): string[] {
  return list.flatMap((entry) => entry.string("name") ?? []).sort(compareStrings);
}

type LocatedPod = Pod & { readonly ip: string };

/**
 * The endpoints of one Service as pods, sorted by name and address. `family` is the one that callers dial; if there are none of
 * it, the others are used.
 *
 * An endpoint whose pod is unknown (not seen yet, gone, or under another UID) is left out: whether it has a sidecar decides how
 * it is dialled, and a guess could send in the clear what must not be.
 */
export function podsOfSlices(
  slices: readonly EndpointSlice[],
  family: EndpointSlice["family"],
  podNamed: (name: string) => Pod | undefined,
): Pod[] {
  const ofFamily = slices.filter((slice) => slice.family === family);
  const byAddress = new Map<string, LocatedPod[]>();
  for (const slice of ofFamily.length > 0 ? ofFamily : slices) {
    for (const endpoint of slice.endpoints) {
      const pod = podBehind(endpoint, slice, podNamed);
      if (pod === undefined) continue;
      const there = byAddress.get(pod.ip);
      if (there === undefined) byAddress.set(pod.ip, [pod]);
      else add(there, pod);
    }
  }
  const pods = [...byAddress.values()].flat();
  return pods.sort((a, b) => compareStrings(a.name, b.name) || compareStrings(a.ip, b.ip));
}

function podBehind(
  { address, pod: reference, ...seen }: SliceEndpoint,
  { namespace, ports }: EndpointSlice,
  podNamed: (name: string) => Pod | undefined,
): LocatedPod | undefined {
  const asSeen = { ...seen, ip: address, servicePorts: ports };
  if (reference === undefined) return { ...stranger, namespace, name: address, workload: address, ...asSeen };
  const pod = podNamed(reference.name);
  if (pod === undefined) return undefined;
  if (reference.uid !== undefined && pod.uid !== undefined && reference.uid !== pod.uid) return undefined;
  return { ...pod, ...asSeen, ip: meshAddress(pod, address) };
}

/** A sidecar listens at the first of its pod's addresses, whatever the Service's family. */
function meshAddress({ meshed, ip, otherIps }: Pod, address: string): string {
  if (!meshed || ip === undefined || otherIps === undefined) return address;
  return otherIps.includes(canonicalIp(address) ?? address) ? ip : address;
}

/** An address that is not known to be a pod's: never in the mesh. */
const stranger = {
  labels: new Map<string, string>(),
  serviceAccount: "default",
  meshed: false,
  redirected: false,
  ports: [],
  createdAt: "",
};

/**
 * Adds a pod to those at its address, of which there may be several: an address may be in two slices, with different ports, or
 * briefly while its owner moves it; a port of the Service may lead to two ports there; pods on their node's network share its
 * address; and a pod that is ending may still be listed with an address that the next one has already.
 */
function add(there: LocatedPod[], pod: LocatedPod): void {
  const at = there.findIndex((other) =>
    other.name === pod.name ? agree(portsOf(other), portsOf(pod)) : overlap(portsOf(other), portsOf(pod)),
  );
  const other = there[at];
  if (other === undefined) there.push(pod);
  else if (other.name === pod.name) there[at] = merge(other, pod);
  else if (goesBefore(pod, other)) there[at] = pod;
}

/** Whether two slices lead each port that both name to the same number. */
function agree(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return [...one].every(([name, port]) => (other.get(name) ?? port) === port);
}

/** Whether two pods claim the same port. */
function overlap(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return [...one].some(([name, port]) => other.get(name) === port);
}

/** Whether this one of two pods that claim an address and port has it, as far as can be told. */
function goesBefore(pod: Pod, other: Pod): boolean {
  return pod.ready === other.ready ? other.terminating && !pod.terminating : pod.ready;
}

function merge(one: LocatedPod, other: LocatedPod): LocatedPod {
  const servicePorts = new Map([...portsOf(one), ...portsOf(other)]);
  return { ...one, ready: one.ready || other.ready, terminating: one.terminating && other.terminating, servicePorts };
}

function portsOf({ servicePorts = noPorts }: Pod): ReadonlyMap<string, number> {
  return servicePorts;
}

const noPorts: ReadonlyMap<string, number> = new Map();
