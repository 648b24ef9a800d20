/** The control plane's configuration, from its command line. An invalid value ends it with a line that names it. */

import { isIP } from "node:net";
import { parseArgs } from "node:util";
import { formatDuration, parseDuration } from "../model/duration.ts";
import { err, ok, type Result } from "../model/result.ts";
import { isTrustDomain } from "../model/spiffe.ts";
import { defaultGateLimits } from "../system/connection-gate.ts";
import { isLogLevel, type LogLevel, logLevels } from "../system/log.ts";

/** Where the control plane keeps its objects and its signer. */
export type HomeConfig =
  | {
      readonly kind: "folders";
      /** Folders with YAML, in order of precedence. */
      readonly folders: readonly string[];
      /** Holds the root, the trust bundle and the tokens. */
      readonly stateFolder: string;
    }
  | {
      readonly kind: "kubernetes";
      /** A file; absent: `$KUBECONFIG`, or the pod's own service account. */
      readonly kubeconfig?: string;
    };

export interface ControlPlaneConfig {
  readonly home: HomeConfig;
  readonly listenAddress: string;
  /** `host:port` of Discovery: every address of these names is a replica of this control plane, perhaps itself. */
  readonly replicas: readonly string[];
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** 0: any free port. */
  readonly ports: {
    readonly discovery: number;
    readonly identity: number;
    readonly admin: number;
    readonly dashboard: number;
  };
  /** Only in a cluster. 0: any free port. */
  readonly webhookPort: number;
  /** Injection's configuration, in YAML; absent: the defaults. */
  readonly injectionFile?: string;
  readonly leafLifetimeMs: number;
  /** How long everyone must have met the requirements of a rotation's step before the next is taken. */
  readonly rotationPauseMs: number;
  readonly checkCallerAddress: boolean;
  /** The limit at Discovery; Identity gets a quarter as many. Absent: derived from the available memory. */
  readonly maxConnections?: number;
  /** How many of those may be in the middle of their handshake. */
  readonly maxHandshakes: number;
  readonly logLevel: LogLevel;
}

export const usage = `usage: control-plane --folder DIR [--folder DIR ...] --state DIR [options]
       control-plane --kubernetes [--kubeconfig FILE] [options]

  --folder DIR              Kubernetes YAML to read and watch; may be repeated
  --state DIR               where the root certificate, the trust bundle and tokens/ are
  --kubernetes              follow the cluster of $KUBECONFIG or of the pod's service account, and keep all state there
  --kubeconfig FILE         the cluster of this file
  --listen-address IP       default 127.0.0.1
  --replicas HOST:PORT      Discovery of the other replicas: whatever the name resolves to; may be repeated
  --trust-domain NAME       default cluster.local
  --cluster-domain NAME     default cluster.local
  --discovery-port PORT     default 15010
  --identity-port PORT      default 15012
  --admin-port PORT         default 15014
  --dashboard-port PORT     on loopback only; default 8080
  --webhook-port PORT       in a cluster; default 9443
  --injection-config FILE   in a cluster: the settings of injection, in YAML
  --leaf-lifetime DURATION  lifetime of workloads' certificates; default 24h
  --rotation-pause DURATION  how long everyone must have completed a step of a root rotation before the next; default 30s
  --check-caller-address    refuse a token if its pod is known under an address other than the caller's
  --max-connections N       connections to Discovery, and a quarter as many to Identity; default: by the available memory
  --max-handshakes N        how many of them may be in their TLS handshake; default 2000
  --log-level LEVEL         debug, info, warn or error; default info
`;

const shortestLifetimeMs = 1_000;

/** The error is one line. */
export function readConfig(args: readonly string[]): Result<ControlPlaneConfig, string> {
  const given = readArgs(args);
  if (!given.ok) return given;
  const values = given.value;
  const home = readHome(values);
  if (!home.ok) return home;
  const listenAddress = values["listen-address"];
  if (isIP(listenAddress) === 0) return err(`--listen-address must be an IP address, got ${listenAddress}`);
  const { replicas = [] } = values;
  const wrong = replicas.find((replica) => !/^([a-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}$/i.test(replica));
  if (wrong !== undefined) return err(`--replicas must be like tulle-replicas.tulle-system:15010, got ${wrong}`);
  const trustDomain = values["trust-domain"];
  if (!isTrustDomain(trustDomain)) return err(`--trust-domain must be like cluster.local, got ${trustDomain}`);
  const lifetime = parseDuration(values["leaf-lifetime"]);
  if (!lifetime.ok) return err(`--leaf-lifetime ${lifetime.error}`);
  if (lifetime.value < shortestLifetimeMs)
    return err(
      `--leaf-lifetime must be at least ${formatDuration(shortestLifetimeMs)}, got ${values["leaf-lifetime"]}`,
    );
  const pause = parseDuration(values["rotation-pause"]);
  if (!pause.ok) return err(`--rotation-pause ${pause.error}`);
  const discovery = readPort("--discovery-port", values["discovery-port"]);
  const identity = readPort("--identity-port", values["identity-port"]);
  const admin = readPort("--admin-port", values["admin-port"]);
  const dashboard = readPort("--dashboard-port", values["dashboard-port"]);
  if (!discovery.ok) return discovery;
  if (!identity.ok) return identity;
  if (!admin.ok) return admin;
  if (!dashboard.ok) return dashboard;
  const webhooks = readPort("--webhook-port", values["webhook-port"]);
  if (!webhooks.ok) return webhooks;
  const { "max-connections": connections } = values;
  const maxConnections = connections === undefined ? undefined : readCount("--max-connections", connections);
  if (maxConnections?.ok === false) return maxConnections;
  const maxHandshakes = readCount("--max-handshakes", values["max-handshakes"]);
  if (!maxHandshakes.ok) return maxHandshakes;
  const logLevel = values["log-level"];
  if (!isLogLevel(logLevel)) return err(`--log-level must be ${logLevels.join(" or ")}, got ${logLevel}`);
  const injectionFile = values["injection-config"];
  return ok({
    home: home.value,
    listenAddress,
    replicas,
    trustDomain,
    clusterDomain: values["cluster-domain"],
    ports: {
      discovery: discovery.value,
      identity: identity.value,
      admin: admin.value,
      dashboard: dashboard.value,
    },
    webhookPort: webhooks.value,
    ...(injectionFile !== undefined && { injectionFile }),
    leafLifetimeMs: lifetime.value,
    rotationPauseMs: pause.value,
    checkCallerAddress: values["check-caller-address"],
    ...(maxConnections !== undefined && { maxConnections: maxConnections.value }),
    maxHandshakes: maxHandshakes.value,
    logLevel,
  });
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      folder: { type: "string", multiple: true },
      state: { type: "string" },
      kubernetes: { type: "boolean", default: false },
      kubeconfig: { type: "string" },
      replicas: { type: "string", multiple: true },
      "listen-address": { type: "string", default: "127.0.0.1" },
      "trust-domain": { type: "string", default: "cluster.local" },
      "cluster-domain": { type: "string", default: "cluster.local" },
      "discovery-port": { type: "string", default: "15010" },
      "identity-port": { type: "string", default: "15012" },
      "admin-port": { type: "string", default: "15014" },
      "dashboard-port": { type: "string", default: "8080" },
      "webhook-port": { type: "string", default: "9443" },
      "injection-config": { type: "string" },
      "leaf-lifetime": { type: "string", default: "24h" },
      "rotation-pause": { type: "string", default: "30s" },
      "check-caller-address": { type: "boolean", default: false },
      "max-connections": { type: "string" },
      "max-handshakes": { type: "string", default: String(defaultGateLimits.maxHandshakes) },
      "log-level": { type: "string", default: "info" },
    },
  }).values;
}

function readHome({
  folder = [],
  state,
  kubernetes,
  kubeconfig,
}: ReturnType<typeof parse>): Result<HomeConfig, string> {
  if (kubernetes || kubeconfig !== undefined) {
    if (folder.length > 0 || state !== undefined) return err("--kubernetes goes with neither --folder nor --state");
    return ok({ kind: "kubernetes", ...(kubeconfig === undefined ? {} : { kubeconfig }) });
  }
  if (folder.length === 0) return err("--folder must be given, or --kubernetes");
  if (state === undefined) return err("--state must be given");
  return ok({ kind: "folders", folders: folder, stateFolder: state });
}

function readArgs(args: readonly string[]): Result<ReturnType<typeof parse>, string> {
  try {
    return ok(parse(args));
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

function readPort(option: string, text: string): Result<number, string> {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? ok(port) : err(`${option} must be a port from 0 to 65535, got ${text}`);
}

function readCount(option: string, text: string): Result<number, string> {
  const count = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  return count > 0 ? ok(count) : err(`${option} must be a number from 1 to 999999, got ${text}`);
}
