/** The parts of a Service that the mesh reads. */

import { parseDuration } from "../../model/duration.ts";
import { canonicalIp } from "../../model/ip-address.ts";
import type { FieldError, Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import { describe, fieldPath, isDnsLabel, type KubeObject } from "../source/kube-object.ts";
import { Fields } from "./fields.ts";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Pods that carry all of these labels are its endpoints; empty: it selects none. */
  readonly selector: ReadonlyMap<string, string>;
  /** `ExternalName` is an alias in DNS, and not a Service of this mesh. */
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** Only TCP ports, in the order of the Service. */
  readonly ports: readonly ServicePort[];
  /** Pods are endpoints whether they are ready or not, and while they terminate. */
  readonly publishNotReadyAddresses: boolean;
  /** Callers get only the endpoints on their own node. */
  readonly nodeLocal: boolean;
  /** The endpoints that callers should prefer unless hints say otherwise. */
  readonly prefer?: "same-zone" | "same-node";
  /** A caller stays at one endpoint until it has not called for this long. */
  readonly affinityMs?: number;
  /** How long a new endpoint gets less than its share. */
  readonly warmUpMs?: number;
  /** The family of the addresses at which it is dialled; if it has two, the first. */
  readonly family: "IPv4" | "IPv6";
  /** Its own addresses, at most one of each family; empty: it is headless, or the cluster has not assigned one yet. */
  readonly clusterIps: readonly string[];
}

export interface ServicePort {
  readonly port: number;
  readonly name?: string;
  /** The container port by number, or by name, which may be a different port in each pod. */
  readonly targetPort: number | string;
  readonly appProtocol?: string;
}

const serviceTypes = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;

/** The default of Kubernetes' API if `sessionAffinityConfig` is absent. */
const defaultAffinitySeconds = 10_800;
const maxAffinitySeconds = 86_400;
const warmUpAnnotation = "tulle.dev/warm-up";

/** `PreferClose` is the older name of `PreferSameZone` (https://kubernetes.io/docs/concepts/services-networking/service/#traffic-distribution). */
const distributions: ReadonlyMap<string, Service["prefer"]> = new Map([
  ["PreferClose", "same-zone"],
  ["PreferSameZone", "same-zone"],
  ["PreferSameNode", "same-node"],
] as const);

/** Errors that can be passed over are added to `ignored`: a misspelt annotation must not remove a Service. */
export function readService(object: KubeObject, ignored: FieldError[]): Result<Service, FieldError[]> {
  const errors: FieldError[] = [];
  const spec = new Fields(object.spec, "spec", errors);
  const typeName = spec.string("type") ?? "ClusterIP";
  const type = serviceTypes.find((known) => known === typeName);
  if (type === undefined) spec.refuse("type", `must be one of ${serviceTypes.join(", ")}`, typeName);
  const { namespace, name } = object.metadata;
  if (!isDnsLabel(name)) errors.push({ path: "metadata.name", message: `must be a DNS label, got ${describe(name)}` });
  const service: Service = {
    namespace,
    name,
    selector: spec.stringMap("selector"),
    type: type ?? "ClusterIP",
    ports: readPorts(spec.children("ports")),
    family: spec.strings("ipFamilies")?.[0] === "IPv6" ? "IPv6" : "IPv4",
    clusterIps: readClusterIps(spec),
    publishNotReadyAddresses: spec.boolean("publishNotReadyAddresses") ?? false,
    nodeLocal: oneOf(spec, "internalTrafficPolicy", ["Cluster", "Local"]) === "Local",
    ...readDistribution(spec, ignored),
    ...readAffinity(spec),
    ...readWarmUp(object, ignored),
  };
  return errors.length === 0 ? ok(service) : err(errors);
}

function oneOf(fields: Fields, key: string, words: readonly string[]): string | undefined {
  const word = fields.string(key);
  if (word !== undefined && !words.includes(word)) fields.refuse(key, `must be one of ${words.join(", ")}`, word);
  return word;
}

/** The field is only a preference, and newer clusters have more values than this list: unknown ones are ignored. */
function readDistribution(spec: Fields, ignored: FieldError[]): Pick<Service, "prefer"> {
  const word = spec.string("trafficDistribution");
  if (word === undefined) return {};
  const prefer = distributions.get(word);
  if (prefer !== undefined) return { prefer };
  const message = `must be one of ${[...distributions.keys()].join(", ")}, got ${describe(word)}`;
  ignored.push({ path: "spec.trafficDistribution", message });
  return {};
}

function readAffinity(spec: Fields): Pick<Service, "affinityMs"> {
  if (oneOf(spec, "sessionAffinity", ["None", "ClientIP"]) !== "ClientIP") return {};
  const clientIP = spec.child("sessionAffinityConfig").child("clientIP");
  const seconds = clientIP.integer("timeoutSeconds", 1, maxAffinitySeconds) ?? defaultAffinitySeconds;
  return { affinityMs: seconds * 1_000 };
}

function readWarmUp({ metadata }: KubeObject, ignored: FieldError[]): Pick<Service, "warmUpMs"> {
  const text = metadata.annotations.get(warmUpAnnotation);
  if (text === undefined) return {};
  const duration = parseDuration(text);
  if (duration.ok) return duration.value === 0 ? {} : { warmUpMs: duration.value };
  ignored.push({ path: fieldPath("metadata.annotations", warmUpAnnotation), message: duration.error });
  return {};
}

/** `clusterIPs` lists all; `clusterIP` is the first of them, and the only one that people write. */
function readClusterIps(spec: Fields): string[] {
  const first = spec.string("clusterIP") ?? "";
  const others = spec.strings("clusterIPs")?.filter((text) => text !== first) ?? [];
  return [first, ...others].flatMap((text) => {
    if (text === "" || text === "None") return [];
    const ip = canonicalIp(text);
    if (ip !== undefined) return [ip];
    spec.refuse(text === first ? "clusterIP" : "clusterIPs", "must be an IP address or None", text);
    return [];
  });
}

function readPorts(list: readonly Fields[]): ServicePort[] {
  const ports = new Map<number, ServicePort>();
  for (const fields of list) {
    const port = readPort(fields);
    if (port === undefined) continue;
    if (ports.has(port.port)) fields.refuse("port", "must be given once per protocol", port.port);
    else ports.set(port.port, port);
  }
  return [...ports.values()];
}

/** Undefined: the port is not TCP. */
function readPort(fields: Fields): ServicePort | undefined {
  const port = fields.integer("port", 1, 65_535);
  if (port === undefined && !fields.has("port")) fields.refuse("port", "must be given", undefined);
  const name = fields.string("name");
  const targetPort = fields.portOrName("targetPort") ?? port ?? 0;
  const appProtocol = fields.string("appProtocol");
  if ((fields.string("protocol") ?? "TCP") !== "TCP") return undefined;
  return {
    port: port ?? 0,
    ...(name === undefined ? {} : { name }),
    targetPort,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}
