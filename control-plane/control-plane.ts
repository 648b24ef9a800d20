/**
 * The whole control plane in one process, in the order in which a policy meets its parts:
 *
 *   source ─▶ index ─▶ compile ─▶ snapshot ─▶ push          (pipeline.ts, push/)
 *   CSR + token ─▶ identity                                 (identity/)
 *   acks of other replicas ─▶ status                        (replicas/)
 *   status, metrics ◀─ all of them                          (admin.ts; in a cluster also cluster.ts)
 *
 * What is opened here is closed here.
 */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../model/clock.ts";
import { assertNever } from "../model/result.ts";
import { Identity, Replicas } from "../proto/load.ts";
import type { AdminServer } from "../system/admin-server.ts";
import type { Log } from "../system/log.ts";
import { isLoopback, openAdmin } from "./admin.ts";
import { type ClusterDuties, serveCluster } from "./cluster.ts";
import type { ControlPlaneConfig } from "./config.ts";
import { type Dashboard, openDashboard } from "./dashboard/server.ts";
import { bindServer, closeServer, createGrpcServer } from "./grpc-server.ts";
import { openClusterHome } from "./home/cluster-home.ts";
import { openFolderHome } from "./home/folder-home.ts";
import type { Home } from "./home/home.ts";
import { CertificateAuthority } from "./identity/authority.ts";
import { identityService } from "./identity/identity-service.ts";
import type { Issuer } from "./identity/issuer.ts";
import { controlPlaneIdentity, issueOwnCertificate, keepOwnCertificateFresh } from "./identity/own-certificate.ts";
import { RotatingServerCredentials, type ServerCertificate } from "./identity/server-credentials.ts";
import type { TokenReviewer } from "./identity/tokens.ts";
import { readInjectionFile } from "./injection/config.ts";
import { injectHandler } from "./injection/webhook.ts";
import type { ClusterApi } from "./kubernetes/cluster-api.ts";
import { ControlPlaneMetrics } from "./metrics.ts";
import { Pipeline } from "./pipeline.ts";
import { type DiscoveryOptions, DiscoveryService, pushDefinition } from "./push/discovery-service.ts";
import { PushHub } from "./push/push-hub.ts";
import { splitKey } from "./push/resource-key.ts";
import { findReplicas } from "./replicas/find-replicas.ts";
import { ReplicaService } from "./replicas/replica-service.ts";
import { OtherReplicas } from "./replicas/replicas.ts";
import { WantedResources } from "./replicas/wanted.ts";
import type { SourceChange } from "./source/source.ts";
import { StatusPage } from "./status-page.ts";
import { traced } from "./tracing.ts";
import { TrafficStore } from "./traffic/traffic-store.ts";

export interface ControlPlane {
  readonly ports: {
    readonly discovery: number;
    readonly identity: number;
    readonly admin: number;
    readonly dashboard: number;
    /** Only in a cluster. */
    readonly webhooks?: number;
  };
  /** Ends streams gradually, then everything else. */
  stop(): Promise<void>;
}

/** Sidecars are sent away one by one, this far apart, but all within `longestDrainMs`. */
const drainPauseMs = 10;
const longestDrainMs = 1_500;
const closeGraceMs = 500;
const maxRequestBytes = 64 * 1024;
/** 10,000 subscriptions with long names. */
const maxSubscribeBytes = 8 * 1024 * 1024;

/** Resolves once it serves. Rejects in one plain line where it can't: a folder, a file, a port, a cluster's configuration. */
export async function startControlPlane(config: ControlPlaneConfig, clock: Clock, log: Log): Promise<ControlPlane> {
  const stopping = new AbortController();
  const metrics = new ControlPlaneMetrics();
  const home = await openHome(config, log, stopping.signal);
  const pipeline = new Pipeline({ ...config, onCompile: metrics.countCompiled });
  const wanted = new WantedResources(pipeline.setWanted);
  const hub = new PushHub({
    snapshot: pipeline.snapshot,
    setWanted: (kind, name, wants) => wanted.set("here", kind, name, wants),
    clock,
    events: metrics.push,
  });
  let cluster: ClusterDuties | undefined;
  hub.watchAcks(() => cluster?.markChanged());
  const own = ownCertificate(config, home.issuer, stopping.signal);
  const replica = `${hostname()}_${randomUUID()}`;
  const others = new OtherReplicas({
    replica,
    find: () => findReplicas(config.replicas),
    certificate: own.current,
    identity: controlPlaneIdentity(config.trustDomain),
    onChange: (keys) => {
      for (const key of keys) wanted.set("elsewhere", ...splitKey(key), others.wants(...splitKey(key)));
      cluster?.markChanged();
    },
    log,
  });
  const status = new StatusPage(pipeline, hub, others, log);
  const traffic = new TrafficStore(clock);
  const apply = (change: SourceChange): void => {
    const startMs = clock.now();
    traced("compile", { "tulle.objects": change.applied.length + change.removed.length }, () => pipeline.apply(change));
    metrics.observeCompile((clock.now() - startMs) / 1000);
    status.logSoon();
    cluster?.markChanged();
  };
  metrics.watch({
    subscribers: () => hub.subscriberCount,
    replicas: () => others.names.length + 1,
    problems: () => status.countProblems(),
    rootExpiryMs: () => own.authority.notAfterMs,
  });
  let serving = false;
  let admin: AdminServer | undefined;
  let dashboard: Dashboard | undefined;
  try {
    // First, so that who asks whether it lives gets an answer while a large cluster is read.
    admin = await openAdmin({
      host: config.listenAddress,
      port: config.ports.admin,
      registry: metrics.registry,
      ready: () => serving && !stopping.signal.aborted,
      status: () => status.read(),
    });
    dashboard = await openDashboard({
      host: isLoopback(config.listenAddress) ? config.listenAddress : "127.0.0.1",
      port: config.ports.dashboard,
      assets: join(import.meta.dirname, "dashboard"),
      view: () => status.view(traffic.read()),
    });
    const onIssuer = (issuer: Issuer): void => {
      own.authority.replace(issuer);
      log("info", "signer replaced", { notAfter: new Date(own.authority.notAfterMs).toISOString() });
    };
    await home.watch({ onChange: apply, onIssuer, signal: stopping.signal });
    const grpc = await serveGrpc({ config, own, tokens: home.tokens, replica, hub, traffic, metrics, log });
    others.start();
    if (home.api !== undefined)
      cluster = await openCluster({ config, api: home.api, own, replica, status, metrics, clock, log });
    serving = true;
    const opened = [admin, dashboard];
    const webhooks = cluster && { webhooks: cluster.webhookPort };
    const ports = { ...grpc.ports, admin: admin.port, dashboard: dashboard.port, ...webhooks };
    log("info", "control plane ready", { host: config.listenAddress, ...ports });
    return {
      ports,
      async stop() {
        log("info", "control plane stopping", { sidecars: hub.subscriberCount });
        stopping.abort();
        // Before the sidecars leave: that they do is no news for a policy's author.
        const written = cluster?.stopWriting();
        others.stop();
        await grpc.drain();
        await grpc.close();
        await written;
        await cluster?.close();
        hub.close();
        for (const server of opened) await server.close();
        home.close();
      },
    };
  } catch (error) {
    stopping.abort();
    others.stop();
    hub.close();
    await cluster?.close();
    await admin?.close();
    await dashboard?.close();
    home.close();
    throw error;
  }
}

function openHome({ home, trustDomain }: ControlPlaneConfig, log: Log, signal: AbortSignal): Promise<Home> {
  switch (home.kind) {
    case "folders":
      return openFolderHome(home, trustDomain);
    case "kubernetes":
      return openClusterHome(home.kubeconfig, trustDomain, log, signal);
    default:
      return assertNever(home);
  }
}

interface OwnCertificate {
  readonly authority: CertificateAuthority;
  readonly current: () => ServerCertificate;
  readonly onRotate: (listener: (next: ServerCertificate) => void) => void;
}

/** The control plane's own, renewed until `signal`. */
function ownCertificate(
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

interface ClusterParts {
  readonly config: ControlPlaneConfig;
  readonly api: ClusterApi;
  readonly own: OwnCertificate;
  readonly replica: string;
  readonly status: StatusPage;
  readonly metrics: ControlPlaneMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

async function openCluster({ config, own, status, metrics, ...parts }: ClusterParts): Promise<ClusterDuties> {
  const { listenAddress: host, webhookPort, injectionFile } = config;
  const inject = injectHandler(await readInjectionFile(injectionFile));
  const { authority } = own;
  const targets = () => status.targets();
  return await serveCluster({ ...parts, authority, targets, inject, host, webhookPort, registry: metrics.registry });
}

interface GrpcParts {
  readonly config: ControlPlaneConfig;
  readonly own: OwnCertificate;
  readonly tokens: TokenReviewer;
  readonly replica: string;
  readonly hub: PushHub;
  readonly traffic: TrafficStore;
  readonly metrics: ControlPlaneMetrics;
  readonly log: Log;
}

interface GrpcPorts {
  readonly ports: { readonly discovery: number; readonly identity: number };
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** The two gRPC ports, under the control plane's own certificate. */
async function serveGrpc({ config, own, tokens, replica, hub, traffic, metrics, log }: GrpcParts): Promise<GrpcPorts> {
  const { trustDomain, listenAddress: host, checkCallerAddress } = config;
  const wallClock = Date.now;
  const { authority } = own;
  const discoveryTls = new RotatingServerCredentials("certificate-required", own.current());
  const identityTls = new RotatingServerCredentials("anonymous", own.current());
  own.onRotate((next) => {
    discoveryTls.rotate(next);
    identityTls.rotate(next);
  });

  const onRefused = metrics.countRefusedStream;
  const onReport: DiscoveryOptions["onReport"] = (from, report) => traffic.take(from, report);
  const discovery = new DiscoveryService({ hub, trustDomain, wallClock, log, onRefused, onReport });
  const replicas = new ReplicaService({ replica, hub, trustDomain, wallClock, log });
  const discoveryServer = createGrpcServer({ maxReceivedBytes: maxSubscribeBytes, maxStreamsPerConnection: 4 });
  discoveryServer.addService(pushDefinition, discovery.handlers);
  discoveryServer.addService(Replicas.service, replicas.handlers);

  const count = metrics.countCertificate;
  const identityServer = createGrpcServer({ maxReceivedBytes: maxRequestBytes, maxStreamsPerConnection: 100 });
  const issuing = { authority, tokens, trustDomain, checkCallerAddress, wallClock, log, count };
  identityServer.addService(Identity.service, identityService(issuing));

  const close = async (): Promise<void> => {
    await Promise.all([closeServer(discoveryServer, closeGraceMs), closeServer(identityServer, closeGraceMs)]);
  };
  try {
    const ports = {
      discovery: await bindServer(discoveryServer, host, config.ports.discovery, discoveryTls),
      identity: await bindServer(identityServer, host, config.ports.identity, identityTls),
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
