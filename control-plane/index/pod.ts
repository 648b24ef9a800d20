/** The parts of a Pod that the mesh reads, and of the template from which a workload creates its pods. */

import { canonicalIp } from "../../model/ip-address.ts";
import type { FieldError, Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import { formatSpiffeId, parseSpiffeId } from "../../model/spiffe.ts";
import {
  initName,
  interceptAnnotation,
  opaquePortsAnnotation,
  proxyVersionAnnotation,
  sidecarName,
  workloadAnnotation,
} from "../injection/marks.ts";
import type { KubeObject } from "../source/kube-object.ts";
import { Fields } from "./fields.ts";

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** Absent in folders. */
  readonly uid?: string;
  /** The workload that it is a replica of: the name of its Inbound. */
  readonly workload: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly serviceAccount: string;
  /** It has a sidecar. */
  readonly meshed: boolean;
  /** Its connections are redirected to the sidecar, whatever its program does. */
  readonly redirected: boolean;
  /** Absent until the pod has an address, and once all its containers have ended. */
  readonly ip?: string;
  /** Its addresses of the other family, in a dual-stack cluster; the sidecar listens only at `ip`. Never empty. */
  readonly otherIps?: readonly string[];
  readonly ready: boolean;
  readonly terminating: boolean;
  /** All its containers have ended, and none will be started again. */
  readonly ended?: true;
  /** RFC 3339; empty in folders. */
  readonly createdAt: string;
  readonly ports: readonly ContainerPort[];
  /** Ports whose bytes nobody looks into; never empty. */
  readonly opaquePorts?: readonly number[];
  /** The node it runs on. */
  readonly node?: string;
  readonly zone?: string;
  /** The zones and nodes whose callers should prefer it: an EndpointSlice's hints. Never empty. */
  readonly forZones?: readonly string[];
  readonly forNodes?: readonly string[];
  /** Its name under the name of the headless Service that was asked for its pods. */
  readonly hostname?: string;
  /** Its ports as resolved by an EndpointSlice, by the names of the Service's ports. Absent: `ports` apply. */
  readonly servicePorts?: ReadonlyMap<string, number>;
}

export interface ContainerPort {
  readonly port: number;
  readonly name?: string;
}

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload {
  readonly namespace: string;
  readonly name: string;
  /** Pods that carry all of these labels belong to it. */
  readonly selector: ReadonlyMap<string, string>;
  /** The labels of the pods it creates. */
  readonly labels: ReadonlyMap<string, string>;
  readonly serviceAccount: string;
  readonly ports: readonly ContainerPort[];
  /** As in `Pod`. */
  readonly opaquePorts?: readonly number[];
  readonly replicas: number;
}

/** On pods, if the cluster copies it from their node. */
const zoneLabel = "topology.kubernetes.io/zone";
/** An ended pod keeps its address in its status, while another pod may already have it. */
const endedPhases = new Set(["Succeeded", "Failed"]);

export function readPod(object: KubeObject): Result<Pod, FieldError[]> {
  const errors: FieldError[] = [];
  const { namespace, name, uid, labels, annotations, creationTimestamp, deletionTimestamp } = object.metadata;
  const status = new Fields(object.status, "status", errors);
  const hasEnded = endedPhases.has(status.string("phase") ?? "");
  const ip = hasEnded ? undefined : status.string("podIP");
  const ready = status
    .children("conditions")
    .some((c) => c.string("type") === "Ready" && c.string("status") === "True");
  const zone = labels.get(zoneLabel);
  const node = new Fields(object.spec, "spec", errors).string("nodeName");
  const pod: Pod = {
    namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    workload: annotations.get(workloadAnnotation) ?? name,
    labels,
    ...readPodSpec(new Fields(object.spec, "spec", errors)),
    ...readOpaquePorts(annotations),
    meshed: annotations.has(proxyVersionAnnotation),
    redirected: isRedirected(new Fields(object.spec, "spec", errors), annotations),
    ...(ip === undefined || ip === "" ? {} : { ip: canonicalIp(ip) ?? ip, ...readOtherIps(status, ip) }),
    ready,
    terminating: deletionTimestamp !== undefined,
    ...(hasEnded && { ended: true }),
    createdAt: creationTimestamp ?? "",
    ...(node === undefined ? {} : { node }),
    ...(zone === undefined ? {} : { zone }),
  };
  return errors.length === 0 ? ok(pod) : err(errors);
}

export function readWorkload(object: KubeObject): Result<Workload, FieldError[]> {
  const errors: FieldError[] = [];
  const spec = new Fields(object.spec, "spec", errors);
  const template = spec.child("template");
  const matchLabels = spec.child("selector").stringMap("matchLabels");
  const labels = template.child("metadata").stringMap("labels");
  // If the selector has only expressions, the template's labels identify its pods.
  const selector = matchLabels.size === 0 ? labels : matchLabels;
  if (labels.size === 0) template.child("metadata").refuse("labels", "must name at least one label", undefined);
  else if (!selects(selector, labels))
    template.child("metadata").refuse("labels", "must carry all of spec.selector.matchLabels", describeLabels(labels));
  const workload: Workload = {
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    selector,
    labels,
    ...readPodSpec(template.child("spec")),
    ...readOpaquePorts(template.child("metadata").stringMap("annotations")),
    replicas: spec.integer("replicas", 0, 100_000) ?? 1,
  };
  return errors.length === 0 ? ok(workload) : err(errors);
}

function readPodSpec(spec: Fields): Pick<Pod, "serviceAccount" | "ports"> {
  const serviceAccount = spec.string("serviceAccountName") ?? "default";
  // The name becomes the last part of a SPIFFE id, and a slash in it would make a different id.
  if (!parseSpiffeId(formatSpiffeId({ trustDomain: "any", namespace: "any", serviceAccount })).ok)
    spec.refuse("serviceAccountName", "must be a DNS subdomain", serviceAccount);
  // A native sidecar is an init container that keeps running, so its ports are the pod's too.
  const containers = [...spec.children("containers"), ...spec.children("initContainers").filter(staysOn)];
  const ports = containers.flatMap((container) => container.children("ports").flatMap(readPort));
  return { serviceAccount, ports: ports.length === 0 ? noPorts : ports };
}

/** `podIPs` lists all addresses, the first one included. */
function readOtherIps(status: Fields, first: string): Pick<Pod, "otherIps"> {
  const others = status.children("podIPs").flatMap((entry) => entry.string("ip") ?? []);
  const otherIps = others.filter((ip) => ip !== first && ip !== "").map((ip) => canonicalIp(ip) ?? ip);
  return otherIps.length === 0 ? {} : { otherIps };
}

/** Its containers show it. In a folder the mesh's own may not be injected yet; then the annotation decides. */
function isRedirected(spec: Fields, annotations: ReadonlyMap<string, string>): boolean {
  const names = [...spec.children("initContainers"), ...spec.children("containers")].map((container) =>
    container.string("name"),
  );
  return names.includes(sidecarName) ? names.includes(initName) : annotations.get(interceptAnnotation) !== "off";
}

/** Injection refuses invalid ports; in a pod that was created another way they are ignored. */
function readOpaquePorts(annotations: ReadonlyMap<string, string>): Pick<Pod, "opaquePorts"> {
  const numbers = (annotations.get(opaquePortsAnnotation) ?? "").split(",").map(Number);
  const ports = numbers.filter((port) => Number.isInteger(port) && port > 0 && port <= 65_535);
  return ports.length === 0 ? {} : { opaquePorts: ports };
}

/** One shared empty list: in a cluster, the ports of a pod without a sidecar are not kept. */
const noPorts: readonly ContainerPort[] = [];

function staysOn(container: Fields): boolean {
  return container.string("restartPolicy") === "Always";
}

function readPort(fields: Fields): ContainerPort[] {
  const port = fields.integer("containerPort", 1, 65_535);
  if (port === undefined && !fields.has("containerPort")) fields.refuse("containerPort", "must be given", undefined);
  const name = fields.string("name");
  if (port === undefined || (fields.string("protocol") ?? "TCP") !== "TCP") return [];
  return [{ port, ...(name === undefined ? {} : { name }) }];
}

function describeLabels(labels: ReadonlyMap<string, string>): string {
  return [...labels].map(([key, value]) => `${key}: ${value}`).join(", ");
}

/** Whether labels satisfy a selector. An empty selector selects nothing, as in a Service. */
export function selects(selector: ReadonlyMap<string, string>, labels: ReadonlyMap<string, string>): boolean {
  if (selector.size === 0) return false;
  for (const [key, value] of selector) if (labels.get(key) !== value) return false;
  return true;
}
