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
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../model/clock.ts";
import { assertNever } from "../model/result.ts";
import type { Log, LogThreshold } from "../system/log.ts";
import { isLoopback } from "../system/loopback-page.ts";
import { releaseHeap } from "../system/release-heap.ts";
import { openAdmin } from "./admin.ts";
import { validateHandler } from "./admission/validate.ts";
import { type ClusterDuties, serveCluster } from "./cluster.ts";
import type { ControlPlaneConfig } from "./config.ts";
import { type Dashboard, openDashboard } from "./dashboard/server.ts";
import { type GrpcPorts, type OwnCertificate, ownCertificate, serveGrpc } from "./grpc-ports.ts";
import { openClusterHome } from "./home/cluster-home.ts";
import { openFolderHome } from "./home/folder-home.ts";
import type { Home } from "./home/home.ts";
import { MeshCertificates } from "./identity/mesh-certificates.ts";
import { controlPlaneIdentity } from "./identity/own-certificate.ts";
import { ReviewQueue } from "./identity/review-queue.ts";
import type { ClusterIndex } from "./index/cluster-index.ts";
import { meshNamespace } from "./index/facts.ts";
import { readInjectionFile } from "./injection/config.ts";
import { PodsWithoutSidecar } from "./injection/pods-without-sidecar.ts";
import { injectHandler } from "./injection/webhook.ts";
import type { ClusterApi } from "./kubernetes/cluster-api.ts";
import { ControlPlaneMetrics } from "./metrics.ts";
import { Pipeline } from "./pipeline.ts";
import { PushHub } from "./push/push-hub.ts";
import { splitKey } from "./push/resource-key.ts";
import { findReplicas } from "./replicas/find-replicas.ts";
import { OtherReplicas } from "./replicas/replicas.ts";
import { WantedResources } from "./replicas/wanted.ts";
import type { SourceChange } from "./source/source.ts";
import { ReturningSidecars } from "./status/returning-sidecars.ts";
import { StatusPage } from "./status-page.ts";
import { traced } from "./tracing.ts";
import { TraceStore } from "./traffic/trace-store.ts";
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

/**
 * Resolves once it serves. Rejects with a one-line error if it can't: because of a folder, a file, a port, or a cluster's
 * configuration.
 */
export async function startControlPlane(
  config: ControlPlaneConfig,
  clock: Clock,
  log: Log,
  logThreshold: LogThreshold,
): Promise<ControlPlane> {
  const stopping = new AbortController();
  // Everything that is open; closed in reverse order.
  const open = new AsyncDisposableStack();
  try {
    const { hub, others, cluster, grpc, ports } = await openAll({
      config,
      clock,
      log,
      logThreshold,
      open,
      signal: stopping.signal,
    });
    log("info", "control plane ready", { host: config.listenAddress, ...ports });
    return {
      ports,
      async stop() {
        log("info", "control plane stopping", { sidecars: hub.subscriberCount });
        stopping.abort();
        // First of all: disconnecting the sidecars must not show up in any policy's status.
        const written = cluster?.stopWriting();
        others.stop();
        await grpc.drain();
        await written;
        await open.disposeAsync();
      },
    };
  } catch (error) {
    stopping.abort();
    await open.disposeAsync();
    throw error;
  }
}

interface Opening {
  readonly config: ControlPlaneConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly logThreshold: LogThreshold;
  /** Collects whatever is opened. */
  readonly open: AsyncDisposableStack;
  readonly signal: AbortSignal;
}

interface Opened extends Pick<ControlPlane, "ports"> {
  readonly hub: PushHub;
  readonly others: OtherReplicas;
  readonly cluster: ClusterDuties | undefined;
  readonly grpc: GrpcPorts;
}

/** Opens all parts in order of dependency, and resolves once they serve. */
async function openAll({ config, clock, log, logThreshold, open, signal }: Opening): Promise<Opened> {
  const home = await openHome(config, log, signal);
  open.defer(() => home.close());
  const core = assemble(config, home, clock, log, signal);
  const { hub, others, certificates, status, metrics } = core;
  let serving = false;
  // Opened first, so that liveness probes are answered while a large cluster is still being read.
  const admin = await openAdmin({
    host: config.listenAddress,
    port: config.ports.admin,
    registry: metrics.registry,
    ready: () => serving && !signal.aborted,
    status: () => status.read(),
    log,
    logThreshold,
  });
  open.defer(() => admin.close());
  const dashboard = await showDashboard(config, core);
  open.defer(() => dashboard.close());
  open.defer(() => hub.close());
  await home.watch({ onChange: core.apply, onSigner: (kept) => certificates.take(kept), signal });
  // Nobody is served yet, and a cluster's lists are the largest thing that is ever read.
  if (home.api) await releaseHeap();
  const cluster = home.api && (await openCluster({ ...core, config, api: home.api, clock, log }));
  open.defer(() => cluster?.close());
  if (cluster) core.onChange(() => cluster.markChanged());
  const { sidecars, holdings } = certificates;
  const grpc = await serveGrpc({ ...core, config, tokens: home.tokens, certificates: sidecars, holdings, log });
  open.defer(() => grpc.close());
  others.start();
  open.defer(() => others.stop());
  certificates.start(cluster);
  serving = true;
  const webhooks = cluster && { webhooks: cluster.webhookPort };
  const ports = { ...grpc.ports, admin: admin.port, dashboard: dashboard.port, ...webhooks };
  return { hub, others, cluster, grpc, ports };
}

/** The parts of every control plane, wherever its objects are. */
interface Core {
  readonly metrics: ControlPlaneMetrics;
  readonly index: ClusterIndex;
  readonly own: OwnCertificate;
  /** Identifies this process among all replicas. */
  readonly replica: string;
  readonly reviews: ReviewQueue;
  readonly hub: PushHub;
  readonly others: OtherReplicas;
  readonly certificates: MeshCertificates;
  readonly status: StatusPage;
  readonly traffic: TrafficStore;
  readonly traces: TraceStore;
  /** Always empty for folders. */
  readonly podsWithoutSidecar: PodsWithoutSidecar;
  readonly apply: (change: SourceChange) => void;
  /** Calls the listener whenever something changes that a status may depend on. */
  readonly onChange: (listener: () => void) => void;
}

/** Creates all parts and connects them; opens nothing. */
function assemble(config: ControlPlaneConfig, home: Home, clock: Clock, log: Log, signal: AbortSignal): Core {
  const metrics = new ControlPlaneMetrics();
  const listeners: (() => void)[] = [];
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const pipeline = new Pipeline({ ...config, onCompile: metrics.countCompiled });
  const wanted = new WantedResources(pipeline.setWanted);
  const hub = new PushHub({
    snapshot: pipeline.snapshot,
    setWanted: (kind, name, wants) => wanted.set("here", kind, name, wants),
    clock,
    events: metrics.push,
  });
  hub.watchAcks(tell);
  const own = ownCertificate(config, home.signer.issuer, signal);
  const replica = `${hostname()}_${randomUUID()}`;
  const others = otherReplicas(config, own, replica, wanted, tell, log);
  const { authority } = own;
  const wallClock = Date.now;
  const parts = { ...config, home, authority, replica, others, clock, wallClock, log, signal };
  const certificates = new MeshCertificates(parts);
  const podsWithoutSidecar = new PodsWithoutSidecar(meshNamespace);
  const census = () => certificates.census();
  const status = new StatusPage({ pipeline, hub, others, census, podsWithoutSidecar, log });
  listeners.push(status.markChanged);
  const reviews = new ReviewQueue(home.reviewLimits, clock);
  const traffic = new TrafficStore(clock);
  const traces = new TraceStore();
  watchFigures({ ...own, metrics, hub, others, status, certificates, reviews });
  const apply = (change: SourceChange): void => {
    const startMs = clock.now();
    traced("compile", { "tulle.objects": change.applied.length + change.removed.length }, () => pipeline.apply(change));
    if (config.home.kind === "kubernetes") podsWithoutSidecar.apply(change);
    if (change.more) return;
    metrics.observeCompile((clock.now() - startMs) / 1000);
    status.logSoon();
    tell();
  };
  const onChange = (listener: () => void) => void listeners.push(listener);
  return {
    metrics,
    index: pipeline.index,
    own,
    replica,
    reviews,
    hub,
    others,
    certificates,
    status,
    traffic,
    traces,
    podsWithoutSidecar,
    apply,
    onChange,
  };
}

/** The other replicas of this control plane, not followed yet. Whatever their sidecars want is compiled here too. */
function otherReplicas(
  config: ControlPlaneConfig,
  own: OwnCertificate,
  replica: string,
  wanted: WantedResources,
  onChange: () => void,
  log: Log,
): OtherReplicas {
  const others = new OtherReplicas({
    replica,
    find: () => findReplicas(config.replicas),
    certificate: own.current,
    identity: controlPlaneIdentity(config.trustDomain),
    onChange: (keys) => {
      for (const key of keys) wanted.set("elsewhere", ...splitKey(key), others.wants(...splitKey(key)));
      onChange();
    },
    log,
  });
  return others;
}

type Figures = Pick<Core, "metrics" | "hub" | "others" | "status" | "certificates" | "reviews">;

/** The gauges, read from their owners at each scrape. */
function watchFigures({
  metrics,
  hub,
  others,
  status,
  certificates,
  reviews,
  authority,
}: Figures & Pick<OwnCertificate, "authority">): void {
  metrics.watch({
    subscribers: () => hub.subscriberCount,
    replicas: () => others.names.length + 1,
    problems: () => status.countProblems(),
    notProgrammed: () => status.countNotProgrammed(),
    lags: () => hub.lags(),
    rootExpiryMs: () => authority.notAfterMs,
    rotationPhase: () => certificates.phase,
    reviews: () => reviews,
  });
}

/** Listens on loopback, whatever the other ports listen on. */
function showDashboard({ listenAddress, ports }: ControlPlaneConfig, core: Core): Promise<Dashboard> {
  const { status, traffic, traces, certificates, hub } = core;
  return openDashboard({
    host: isLoopback(listenAddress) ? listenAddress : "127.0.0.1",
    port: ports.dashboard,
    assets: join(import.meta.dirname, "dashboard"),
    view: () => status.view(traffic.read(), traces.list()),
    certificates: () => certificates.view(),
    trace: (id) => traces.spans(id),
    holders: (policy) => status.holders(policy),
    holdings: () => hub.holdings(),
  });
}

function openHome({ home, trustDomain }: ControlPlaneConfig, log: Log, signal: AbortSignal): Promise<Home> {
  switch (home.kind) {
    case "folders":
      return openFolderHome(home, trustDomain, log);
    case "kubernetes":
      return openClusterHome(home.kubeconfig, trustDomain, log, signal);
    default:
      return assertNever(home);
  }
}

interface ClusterParts {
  readonly config: ControlPlaneConfig;
  readonly api: ClusterApi;
  readonly index: ClusterIndex;
  readonly own: OwnCertificate;
  readonly replica: string;
  readonly others: OtherReplicas;
  readonly status: StatusPage;
  readonly podsWithoutSidecar: PodsWithoutSidecar;
  readonly metrics: ControlPlaneMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes of the source come at most 50 ms apart. */
const catchUpMs = 150;

async function openCluster({
  config,
  index,
  own,
  others,
  status,
  podsWithoutSidecar: pods,
  metrics,
  ...parts
}: ClusterParts): Promise<ClusterDuties> {
  const { listenAddress: host, webhookPort, injectionFile } = config;
  const validate = validateHandler(index, () => sleep(catchUpMs));
  const inject = injectHandler(await readInjectionFile(injectionFile));
  const { authority } = own;
  const targets = (returning: boolean) => status.targets(returning);
  const countReplicas = () => others.names.length;
  const isAnyMissing = () => status.isAnySidecarMissing();
  const returning = new ReturningSidecars({ countReplicas, isAnyMissing, clock: parts.clock });
  const podsWithoutSidecar = () => pods.list();
  return await serveCluster({
    ...parts,
    authority,
    targets,
    returning,
    podsWithoutSidecar,
    validate,
    inject,
    host,
    webhookPort,
    registry: metrics.registry,
  });
}
