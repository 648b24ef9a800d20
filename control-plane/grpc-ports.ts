/**
 * The two gRPC ports under the control plane's own certificate: Discovery, and with it Replicas, for clients with a
 * certificate of the mesh, and Identity for those that have none yet.
 */

import { setTimeout as wait } from "node:timers/promises";
import type { Log } from "../system/log.ts";
import { availableMemoryBytes, capacityOf } from "./capacity.ts";
import type { ControlPlaneConfig } from "./config.ts";
import { StreamServer, type StreamServerOptions } from "./grpc/stream-server.ts";
import { CertificateAuthority } from "./identity/authority.ts";
import { identityService, issueMethod, maxRequestBytes } from "./identity/identity-service.ts";
import type { Issuer } from "./identity/issuer.ts";
import { issueOwnCertificate, keepOwnCertificateFresh } from "./identity/own-certificate.ts";
import type { ReviewQueue } from "./identity/review-queue.ts";
import type { ServerCertificate } from "./identity/server-certificate.ts";
import type { SidecarCertificates } from "./identity/sidecar-certificates.ts";
import type { TokenReviewer } from "./identity/tokens.ts";
import type { ControlPlaneMetrics } from "./metrics.ts";
import { DiscoveryService, streamMethod } from "./push/discovery-service.ts";
import type { PushHub } from "./push/push-hub.ts";
import type { ReplicaHoldings } from "./replicas/certificate-table.ts";
import { followMethod, ReplicaService } from "./replicas/replica-service.ts";
import type { TraceStore } from "./traffic/trace-store.ts";
import type { TrafficStore } from "./traffic/traffic-store.ts";

/** Sidecars are sent away one by one, this far apart, but all within `longestDrainMs`. */
const drainPauseMs = 10;
const longestDrainMs = 1_500;
const closeGraceMs = 500;
/** Every subscription that a sidecar may have, at 260 bytes each. */
const maxSubscribeBytes = 8 * 1024 * 1024;

export interface OwnCertificate {
  readonly authority: CertificateAuthority;
  readonly current: () => ServerCertificate;
  readonly onRotate: (listener: (next: ServerCertificate) => void) => void;
}

/** The control plane's own certificate, renewed until `signal`. */
export function ownCertificate(
  { trustDomain, leafLifetimeMs }: ControlPlaneConfig,
  issuer: Issuer,
  signal: AbortSignal,
): OwnCertificate {
  const wallClock = Date.now;
  const authority = new CertificateAuthority(issuer, { leafLifetimeMs, wallClock });
  const first = issueOwnCertificate(authority, trustDomain);
  let current: ServerCertificate = first;
  const listeners: ((next: ServerCertificate) => void)[] = [];
  keepOwnCertificateFresh(authority, trustDomain, wallClock, first, signal, (next) => {
    current = next;
    for (const listener of listeners) listener(next);
  });
  return { authority, current: () => current, onRotate: (listener) => void listeners.push(listener) };
}

/** The differences between the two ports. */
type Served = Pick<
  StreamServerOptions,
  "clients" | "methods" | "maxMessageBytes" | "maxCallsPerConnection" | "callsLast"
> & {
  readonly maxConnections: number;
};

interface GrpcParts {
  readonly config: ControlPlaneConfig;
  readonly own: OwnCertificate;
  readonly tokens: TokenReviewer;
  readonly reviews: ReviewQueue;
  readonly replica: string;
  readonly hub: PushHub;
  readonly certificates: SidecarCertificates;
  readonly holdings: () => ReplicaHoldings;
  readonly traffic: TrafficStore;
  readonly traces: TraceStore;
  readonly metrics: ControlPlaneMetrics;
  readonly log: Log;
}

export interface GrpcPorts {
  readonly ports: { readonly discovery: number; readonly identity: number };
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Opens both ports. Rejects with a one-line error if one can't be opened. */
export async function serveGrpc(parts: GrpcParts): Promise<GrpcPorts> {
  const { config, own, hub, metrics } = parts;
  const { maxSubscriptions, maxReadingBytes, ...capacity } = capacityOf(availableMemoryBytes());
  const { listenAddress: host, maxHandshakes, maxConnections = capacity.maxConnections } = config;
  const open = (port: "discovery" | "identity", served: Served): StreamServer => {
    const limits = { maxHandshakes, maxReadingBytes, maxConnections: served.maxConnections };
    const events = metrics.grpcPort(port);
    const server = new StreamServer({ ...served, certificate: own.current(), limits, clock: performance, events });
    own.onRotate((next) => server.rotate(next));
    return server;
  };
  const discovery = discoveryOf(parts, maxSubscriptions);
  const replicas = new ReplicaService({ ...parts, trustDomain: config.trustDomain, wallClock: Date.now });
  const discoveryServer = open("discovery", {
    clients: "certificate-required",
    methods: new Map([
      [streamMethod, discovery.answer],
      [followMethod, replicas.answer],
    ]),
    maxMessageBytes: maxSubscribeBytes,
    maxCallsPerConnection: 2,
    callsLast: true,
    maxConnections,
  });
  const identityServer = open("identity", {
    clients: "anonymous",
    methods: new Map([[issueMethod, identityOf(parts)]]),
    maxMessageBytes: maxRequestBytes,
    maxCallsPerConnection: 100,
    maxConnections: Math.ceil(maxConnections / 4),
  });

  const close = async (): Promise<void> => {
    await Promise.all([discoveryServer.close(closeGraceMs), identityServer.close(closeGraceMs)]);
  };
  try {
    const ports = {
      discovery: await discoveryServer.listen(host, config.ports.discovery),
      identity: await identityServer.listen(host, config.ports.identity),
    };
    const drainMs = (): number => Math.min(hub.subscriberCount * drainPauseMs, longestDrainMs);
    const drain = async (): Promise<void> => {
      await discovery.drain(drainMs(), (ms) => wait(ms));
      replicas.close();
    };
    return { ports, close, drain };
  } catch (error) {
    await close();
    throw error;
  }
}

function discoveryOf(parts: GrpcParts, maxSubscriptions: number): DiscoveryService {
  const { config, hub, certificates, traffic, traces, metrics, log } = parts;
  return new DiscoveryService({
    hub,
    trustDomain: config.trustDomain,
    maxSubscriptions,
    wallClock: Date.now,
    random: Math.random,
    log,
    onRefused: metrics.countRefusedStream,
    onReport(from, report) {
      traffic.take(from, report);
      traces.take(from, report.spans);
    },
    onJoined: (sidecar) => certificates.add(sidecar),
  });
}

function identityOf({ config, own, tokens, reviews, metrics, log }: GrpcParts): ReturnType<typeof identityService> {
  const { trustDomain, checkCallerAddress } = config;
  const { authority } = own;
  const count = metrics.countCertificate;
  return identityService({
    authority,
    tokens,
    reviews,
    trustDomain,
    checkCallerAddress,
    wallClock: Date.now,
    log,
    count,
  });
}
