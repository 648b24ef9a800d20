/** Where a sidecar gets its identity and its resources from: the control plane, or files. */

import { readFile } from "node:fs/promises";
import type { Resource } from "../model/resources.ts";
import { formatSpiffeId } from "../model/spiffe.ts";
import type { TrafficReport } from "../proto/generated/tulle/v1/TrafficReport.ts";
import type { Log } from "../system/log.ts";
import { version } from "../system/version.ts";
import type { ControlPlaneConfig, SidecarConfig } from "./config.ts";
import { ControlStream } from "./discovery/control-stream.ts";
import type { GoodResource } from "./discovery/held-resource.ts";
import type { Identity } from "./identity/credentials.ts";
import { startIdentity } from "./identity/identity-client.ts";
import { loadStaticIdentity } from "./identity/static-identity.ts";
import type { TimerWheel } from "./net/timer-wheel.ts";
import type { Follow } from "./sidecar.ts";

export interface Sources {
  readonly identity: Identity;
  readonly follow: Follow;
  readonly connected: () => boolean;
  /** The resources in force in this sidecar. */
  readonly inForce: () => readonly GoodResource[];
  /** Reports to the control plane, if it is connected. */
  readonly report: (report: TrafficReport) => void;
  /** Writes what is not stored yet. */
  flush(): Promise<void>;
}

const discoveryPort = 15_010;
const identityPort = 15_012;
const controlPlaneAccount = { namespace: "tulle-system", serviceAccount: "tulle-control-plane" };

/** Resolves once there is a certificate: at once after a restart, else as soon as a control plane issues one. */
export async function fromControlPlane(
  config: SidecarConfig & ControlPlaneConfig,
  log: Log,
  wheel: TimerWheel,
  stop: AbortSignal,
): Promise<Sources> {
  const { namespace, workload, pod, serviceAccount, trustDomain, stateFolder, controlPlane } = config;
  const controlPlaneIdentity = formatSpiffeId({ trustDomain, ...controlPlaneAccount });
  const shared = { controlPlaneIdentity, stateFolder, clock: performance, wheel, random: Math.random, log };
  const identity = await startIdentity(
    {
      ...shared,
      spiffeId: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
      addresses: controlPlane.map((host) => `${host}:${identityPort}`),
      tokenFile: config.tokenFile,
      trustBundleFile: config.trustBundleFile,
      wallClock: Date.now,
    },
    stop,
  );
  const stream = new ControlStream({
    ...shared,
    endpoints: controlPlane.map((host) => `${host}:${discoveryPort}`),
    identity,
    onRenew: (withinMs) => identity.renew(withinMs),
    node: { namespace, workload, pod, proxyVersion: version },
  });
  await stream.start(stop);
  return {
    identity,
    follow: (kind, name, apply) => stream.subscribe(kind, name, apply),
    connected: () => stream.connected,
    inForce: () => stream.inForce,
    report: (report) => stream.report(report),
    flush: () => stream.flush(),
  };
}

export interface SourceFiles {
  /** The output of `tulle compile --for … -o json`, or of a sidecar's page `/debug/snapshot`. */
  readonly snapshot: string;
  readonly certificate: string;
  readonly privateKey: string;
  readonly trustBundle: string;
}

/** For a sidecar without a control plane: the content of its files never changes. */
export async function fromFiles(files: SourceFiles): Promise<Sources> {
  const identity = await loadStaticIdentity(files);
  const { resources } = JSON.parse(await readFile(files.snapshot, "utf8")) as {
    resources: readonly (Resource & { readonly version?: string })[];
  };
  const byKey = new Map(resources.map((resource) => [`${resource.kind} ${resource.value.name}`, resource]));
  return {
    identity,
    follow: (kind, name, apply) => {
      const resource = byKey.get(`${kind} ${name}`);
      apply(resource, resource?.version);
      return () => {};
    },
    connected: () => false,
    inForce: () => resources.map((resource) => ({ resource, version: resource.version ?? "" })),
    report: () => {},
    flush: () => Promise.resolve(),
  };
}
