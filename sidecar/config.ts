/**
 * A sidecar's configuration, from its environment. Read once, at the start; an invalid value ends it with a line that
 * names it.
 */

import net from "node:net";
import { type ApplicationProbe, parseApplicationProbes } from "../model/application-probe.ts";
import type { Locality } from "../model/endpoint-choice.ts";
import type { FieldError, Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import { isTrustDomain } from "../model/spiffe.ts";
import { parseUpstreams, type Upstream } from "../model/upstream.ts";
import { type LogLevel, logLevels } from "../system/log.ts";

export interface SidecarConfig {
  readonly namespace: string;
  /** The name of the pod's owner: its Deployment, StatefulSet or the like. */
  readonly workload: string;
  readonly pod: string;
  readonly podIp: string;
  /** A part of the place that is not set is unknown: no endpoint is then preferred for it, and none is local. */
  readonly locality: Locality;
  readonly trustDomain: string;
  readonly upstreams: readonly Upstream[];
  readonly outboundMtls: "preferred" | "required";
  readonly routeBy: "address" | "host";
  readonly outside: "allow" | "deny";
  readonly drainGraceMs: number;
  /** Read when a policy asks for Redis. */
  readonly redisUrlFile?: string;
  /** `iptables`: the pod's connections are redirected here, in and out. */
  readonly interception: "iptables" | "off";
  /** The probes that kubelet would send to the application, by the path at which it sends them to this sidecar instead. */
  readonly probes: ReadonlyMap<string, ApplicationProbe>;
  readonly logLevel: LogLevel;
  /** Record traces for the dashboard even if they are exported nowhere; spans that others export may then lack parents. */
  readonly recentTraces: boolean;
}

/** What the sidecar needs to get everything else from a control plane. */
export interface ControlPlaneConfig {
  readonly serviceAccount: string;
  readonly tokenFile: string;
  readonly trustBundleFile: string;
  /** Holds key, certificate chain and last resources, for a restart without a control plane. */
  readonly stateFolder: string;
  /** The control plane's hosts. */
  readonly controlPlane: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

const defaultDrainSeconds = "10";

/** The errors are all there are, not only the first. */
export function readConfig(env: Variables): Result<SidecarConfig & ControlPlaneConfig, FieldError[]> {
  const errors: FieldError[] = [];
  const required = (name: string): string => {
    const value = env[name] ?? "";
    if (value === "") errors.push({ path: name, message: "must be set" });
    return value;
  };
  const check = (path: string, holds: boolean, message: string): void => {
    if (!holds) errors.push({ path, message });
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = env[name] ?? fallback;
    const found = allowed.find((each) => each === value);
    check(name, found !== undefined, `must be ${allowed.join(" or ")}, got ${value}`);
    return found ?? fallback;
  };
  const upstreams = parseUpstreams(env["TULLE_UPSTREAMS"] ?? "");
  if (!upstreams.ok) errors.push({ path: "TULLE_UPSTREAMS", message: upstreams.error });
  const drain = env["TULLE_DRAIN_SECONDS"] ?? defaultDrainSeconds;
  const drainIsValid = Number.isFinite(Number(drain)) && Number(drain) >= 0;
  check("TULLE_DRAIN_SECONDS", drainIsValid, `must be a number, at least 0, got ${drain}`);
  const redisUrlFile = env["TULLE_REDIS_URL_FILE"] ?? "";
  const probes = parseApplicationProbes(env["TULLE_PROBES"] ?? "");
  if (!probes.ok) errors.push({ path: "TULLE_PROBES", message: probes.error });
  const podIp = required("POD_IP");
  check("POD_IP", podIp === "" || net.isIP(podIp) !== 0, `must be an IP address, got ${podIp}`);
  const trustDomain = env["TULLE_TRUST_DOMAIN"] ?? "cluster.local";
  const wrongDomain = `must be a SPIFFE trust domain in lower case, got ${JSON.stringify(trustDomain)}`;
  check("TULLE_TRUST_DOMAIN", isTrustDomain(trustDomain), wrongDomain);
  const hosts = required("TULLE_CONTROL_PLANE");
  const controlPlane = hosts.split(",").map((host) => host.trim());
  check(
    "TULLE_CONTROL_PLANE",
    hosts === "" || !controlPlane.includes(""),
    `must be hosts separated by commas, got ${hosts}`,
  );
  const config: SidecarConfig & ControlPlaneConfig = {
    namespace: required("TULLE_NAMESPACE"),
    workload: required("TULLE_WORKLOAD"),
    pod: required("TULLE_POD"),
    serviceAccount: required("TULLE_SERVICE_ACCOUNT"),
    podIp,
    locality: { ...named("node", env["TULLE_NODE"]), ...named("zone", env["TULLE_ZONE"]) },
    trustDomain,
    tokenFile: required("TULLE_TOKEN_FILE"),
    trustBundleFile: required("TULLE_TRUST_BUNDLE"),
    stateFolder: required("TULLE_STATE_DIR"),
    controlPlane,
    upstreams: upstreams.ok ? upstreams.value : [],
    outboundMtls: oneOf("TULLE_OUTBOUND_MTLS", ["preferred", "required"], "preferred"),
    routeBy: oneOf("TULLE_ROUTE_BY", ["address", "host"], "address"),
    outside: oneOf("TULLE_OUTSIDE", ["allow", "deny"], "allow"),
    drainGraceMs: Number(drain) * 1_000,
    ...(redisUrlFile !== "" && { redisUrlFile }),
    interception: oneOf("TULLE_INTERCEPT", ["iptables", "off"], "off"),
    probes: probes.ok ? probes.value : new Map(),
    logLevel: oneOf("TULLE_LOG_LEVEL", logLevels, "info"),
    recentTraces: oneOf("TULLE_RECENT_TRACES", ["on", "off"], "off") === "on",
  };
  return errors.length > 0 ? err(errors) : ok(config);
}

/** An empty variable counts as unset: a missing label becomes one. */
function named(key: keyof Locality, value: string | undefined): Locality {
  return value === undefined || value === "" ? {} : { [key]: value };
}
