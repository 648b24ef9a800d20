/** The annotations by which a pod configures its sidecar. Each has a row in docs/annotations.md; a test compares the two. */

import { isIP } from "node:net";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import { parseUpstreams } from "../../model/upstream.ts";
import { interceptAnnotation, opaquePortsAnnotation } from "./marks.ts";

/** Settings that the chart can make for all pods, and annotations for one. */
export interface ProxySettings {
  readonly interception: "iptables" | "off";
  readonly outboundMtls: "preferred" | "required";
  readonly routeBy: "address" | "host";
  /** What happens to calls to destinations outside the mesh. */
  readonly outside: "allow" | "deny";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly accessLog: string;
  readonly drainSeconds: number;
  /** How long an application continues before it is told to terminate; 0: not at all. */
  readonly preStopSeconds: number;
  /** Ports whose bytes nobody looks into; the control plane reads the annotation. */
  readonly opaquePorts: readonly number[];
  readonly skipInboundPorts: readonly number[];
  readonly skipOutboundPorts: readonly number[];
  readonly skipOutboundRanges: readonly string[];
  /** `payments:80=127.0.0.1:9001,…` */
  readonly upstreams: string;
  /** The name of a Secret in the pod's namespace; its key `url` is the URL of Redis. Empty: none. */
  readonly redisSecret: string;
  /** Kubernetes quantities; empty: not set. */
  readonly cpuRequest: string;
  readonly cpuLimit: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
}

export const defaultSettings: ProxySettings = {
  interception: "iptables",
  outboundMtls: "preferred",
  routeBy: "address",
  outside: "allow",
  logLevel: "info",
  accessLog: "off",
  drainSeconds: 10,
  preStopSeconds: 5,
  opaquePorts: [],
  skipInboundPorts: [],
  skipOutboundPorts: [],
  skipOutboundRanges: [],
  upstreams: "",
  redisSecret: "",
  cpuRequest: "10m",
  cpuLimit: "",
  memoryRequest: "64Mi",
  memoryLimit: "",
};

type Read<T> = (text: string) => Result<T, string>;

interface Setting<Name extends keyof ProxySettings> {
  readonly field: Name;
  readonly read: Read<ProxySettings[Name]>;
}

type AnySetting = { [Name in keyof ProxySettings]: Setting<Name> }[keyof ProxySettings];

export const settingAnnotations: Readonly<Record<string, AnySetting>> = {
  [interceptAnnotation]: { field: "interception", read: oneOf("iptables", "off") },
  "tulle.dev/outbound-mtls": { field: "outboundMtls", read: oneOf("preferred", "required") },
  "tulle.dev/route-by": { field: "routeBy", read: oneOf("address", "host") },
  "tulle.dev/outside": { field: "outside", read: oneOf("allow", "deny") },
  "tulle.dev/log-level": { field: "logLevel", read: oneOf("debug", "info", "warn", "error") },
  "tulle.dev/access-log": { field: "accessLog", read: readAccessLog },
  "tulle.dev/drain-seconds": { field: "drainSeconds", read: readSeconds },
  "tulle.dev/pre-stop-seconds": { field: "preStopSeconds", read: readSeconds },
  [opaquePortsAnnotation]: { field: "opaquePorts", read: listOf(readPort) },
  "tulle.dev/skip-inbound-ports": { field: "skipInboundPorts", read: listOf(readPort) },
  "tulle.dev/skip-outbound-ports": { field: "skipOutboundPorts", read: listOf(readPort) },
  "tulle.dev/skip-outbound-ranges": { field: "skipOutboundRanges", read: listOf(readRange) },
  "tulle.dev/upstreams": { field: "upstreams", read: readUpstreams },
  "tulle.dev/redis-secret": { field: "redisSecret", read: readSecretName },
  "tulle.dev/proxy-cpu-request": { field: "cpuRequest", read: readQuantity },
  "tulle.dev/proxy-cpu-limit": { field: "cpuLimit", read: readQuantity },
  "tulle.dev/proxy-memory-request": { field: "memoryRequest", read: readQuantity },
  "tulle.dev/proxy-memory-limit": { field: "memoryLimit", read: readQuantity },
};

/** `defaults`, overridden by the pod's own annotations. */
export function readSettings(
  annotations: Readonly<Record<string, string>>,
  defaults: ProxySettings,
): Result<ProxySettings, FieldError[]> {
  const errors: FieldError[] = [];
  const annotated: Record<string, unknown> = {};
  for (const [name, { field, read }] of Object.entries(settingAnnotations)) {
    const text = annotations[name];
    if (text === undefined) continue;
    const value = read(text.trim());
    if (value.ok) annotated[field] = value.value;
    else
      errors.push({ path: `metadata.annotations["${name}"]`, message: `${value.error}, got ${JSON.stringify(text)}` });
  }
  return errors.length === 0 ? ok({ ...defaults, ...annotated }) : err(errors);
}

/** A value that no annotation may have can't be the default for all pods either. Paths are the fields' names. */
export function checkSettings(settings: ProxySettings): FieldError[] {
  return Object.values(settingAnnotations).flatMap(({ field, read }): FieldError[] => {
    const value = settings[field];
    // In the notation of an annotation: lists are separated by commas. Settings without a default read as empty.
    const text = String(value);
    const taken = text === String(defaultSettings[field]) ? ok(value) : read(text);
    return taken.ok ? [] : [{ path: field, message: `${taken.error}, got ${JSON.stringify(value)}` }];
  });
}

function oneOf<const T extends string>(...allowed: readonly T[]): Read<T> {
  return (text) => {
    const found = allowed.find((value) => value === text);
    return found === undefined ? err(`must be ${allowed.join(" or ")}`) : ok(found);
  };
}

function listOf<T>(read: Read<T>): Read<readonly T[]> {
  return (text) => {
    const values: T[] = [];
    for (const part of text.split(",").map((entry) => entry.trim())) {
      if (part === "") continue;
      const value = read(part);
      if (!value.ok) return err(`${value.error}, separated by commas`);
      values.push(value.value);
    }
    return ok(values);
  };
}

function readPort(text: string): Result<number, string> {
  const port = Number(text);
  return /^[0-9]+$/.test(text) && port >= 1 && port <= 65_535 ? ok(port) : err("must be ports from 1 to 65535");
}

/** `10.0.0.0/8`, or a single address. */
function readRange(text: string): Result<string, string> {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const bitsAreRight = bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= most);
  return family !== 0 && bitsAreRight && rest.length === 0 ? ok(text) : err("must be IP ranges such as 10.0.0.0/8");
}

/** The sidecar parses it again. An invalid value must be refused here, before it becomes a pod that never starts. */
function readUpstreams(text: string): Result<string, string> {
  const upstreams = parseUpstreams(text);
  return upstreams.ok ? ok(text) : upstreams;
}

function readSecretName(text: string): Result<string, string> {
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text) ? ok(text) : err("must be the name of a Secret");
}

function readSeconds(text: string): Result<number, string> {
  return /^[0-9]{1,4}$/.test(text) ? ok(Number(text)) : err("must be a whole number of seconds, at least 0");
}

/** Accepts what the sidecar accepts in `TULLE_ACCESS_LOG`. */
function readAccessLog(text: string): Result<string, string> {
  const isShare = /^(0|1|0?\.[0-9]+)$/.test(text);
  return isShare || ["off", "errors", "all"].includes(text)
    ? ok(text)
    : err("must be off, errors, all or a number from 0 to 1");
}

/** The API server's syntax, without negative values: `Ki` is 1,024 and `k` 1,000, and `ki` is neither. */
const quantity = /^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$/;

function readQuantity(text: string): Result<string, string> {
  return text === "" || quantity.test(text) ? ok(text) : err("must be a quantity such as 100m or 64Mi");
}
