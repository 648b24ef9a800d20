/** Runs a sidecar from its admin port's first answer to the end of its drain. */

import { isIpv6 } from "../model/address.ts";
import type { Clock } from "../model/clock.ts";
import type { AccessLog } from "../model/policy.ts";
import type { ResourceKind } from "../model/resources.ts";
import { TokenBucket } from "../model/token-bucket.ts";
import { holdHeap } from "../system/hold-heap.ts";
import { type Log, type LogThreshold, reasonOf } from "../system/log.ts";
import { changeLogLevel, logLevelPath, showLogLevel } from "../system/log-level-page.ts";
import type { SidecarConfig } from "./config.ts";
import { debugPages } from "./debug/debug-pages.ts";
import { RequestTaps } from "./debug/request-taps.ts";
import { proveDirectWrites } from "./net/direct-writes.ts";
import type { ReadOriginalDestination } from "./net/original-destination.ts";
import { proveSharedReads } from "./net/shared-reads.ts";
import { TimerWheel } from "./net/timer-wheel.ts";
import { TurnClock } from "./net/turn-clock.ts";
import { adminPort } from "./ports.ts";
import { type Follow, Sidecar } from "./sidecar.ts";
import type { Sources } from "./sources.ts";
import { openAdmin } from "./telemetry/admin.ts";
import { errorSpanRate } from "./telemetry/error-spans.ts";
import { exposeGauges } from "./telemetry/gauges.ts";
import { createSidecarMetrics, type SidecarMetrics } from "./telemetry/metrics.ts";
import type { OtlpReceiver } from "./telemetry/otlp-receiver.ts";
import { RecentSpans } from "./telemetry/recent-spans.ts";
import { MetricRegistry } from "./telemetry/registry.ts";
import type { Sampler } from "./telemetry/sampling.ts";
import type { SpanSink } from "./telemetry/span.ts";
import { exportSpans, type SpanExport, SpanQueue } from "./telemetry/span-queue.ts";
import type { Tracer } from "./telemetry/trace.ts";
import { IdSource } from "./telemetry/trace-context.ts";
import { TrafficReporter } from "./telemetry/traffic-reporter.ts";
import { trimMemory } from "./trim-memory.ts";

export interface RunOptions {
  readonly config: SidecarConfig;
  readonly sampler: Sampler;
  readonly accessLog: AccessLog;
  /** Where spans are sent; undefined: nowhere. */
  readonly otlp: OtlpReceiver | undefined;
  readonly log: Log;
  /** The threshold of `log`. */
  readonly logThreshold: LogThreshold;
  /** Aborted when the pod is about to end: callers should go elsewhere. `stop` follows when its application has ended. */
  readonly leave?: AbortSignal;
  /** Aborted to drain and end. */
  readonly stop: AbortSignal;
  readonly openSources: (wheel: TimerWheel, stop: AbortSignal) => Promise<Sources>;
}

const flushSpansMs = 2_000;
const defaultBatchDelayMs = 5_000;
const reportEveryMs = 2_000;
const releaseIdleEveryMs = 60_000;
/** How long a sidecar that was asked to leave before may still take to finish: its application is gone. */
const graceAfterLeaveMs = 1_000;

/** Resolves when the sidecar has ended. Rejects if it can't run: a port is in use, a file is missing. */
export async function runSidecar(options: RunOptions): Promise<void> {
  const { config, log, stop, openSources } = options;
  const { namespace, workload, pod, podIp } = config;
  const clock = new TurnClock(performance);
  const registry = new MetricRegistry({ labels: { namespace, workload, pod } });
  const metrics = createSidecarMetrics(registry);
  const dropped = metrics.spansDropped.slot({});
  const spans = new SpanQueue({ countDropped: (count) => metrics.spansDropped.add(dropped, count) });
  const recent = new RecentSpans(performance.timeOrigin);

  const started: Started = {};
  const taps = new RequestTaps(clock);
  const wheel = new TimerWheel(clock);
  const admin = await openPages(options, { registry, taps, wheel, started });
  const originalDestination = await openInterception(config);
  const [sources] = await Promise.all([openSources(wheel, stop), proveSharedReads(), proveDirectWrites()]);
  const { identity, connected } = sources;
  const appliedAtMs = new Map<ResourceKind, number>();
  const sidecar = new Sidecar({
    ...config,
    identity,
    follow: counted(sources.follow, metrics, (kind) => appliedAtMs.set(kind, Date.now())),
    clock,
    wheel,
    random: Math.random,
    unixNow: Date.now,
    metrics,
    tracer: tracerOf(options, clock, spans, recent),
    accessLog: options.accessLog,
    taps,
    log,
    ...(originalDestination === undefined ? {} : { originalDestination }),
  });
  Object.assign(started, { sidecar, sources });
  const { state } = sidecar;
  exposeGauges(registry, { state, identity, controlStreamConnected: connected, appliedAtMs });
  const releasing = setInterval(() => registry.releaseIdle(clock.now()), releaseIdleEveryMs).unref();
  const reporting = reportTraffic(new TrafficReporter({ metrics, state, identity, spans: recent }), sources);
  await sidecar.start();
  // Measured from the start of the process: after a crash, the pod served nobody for that long.
  const afterMs = Math.round(process.uptime() * 1_000);
  log("info", "sidecar is up", { podIp, workload: `${namespace}/${workload}`, afterMs });

  const exporting = await startExport(options, spans, wheel);
  await holdHeap();
  const stopTrimming = trimMemory();
  await drained(sidecar, options);
  sidecar.close();
  clearInterval(reporting);
  clearInterval(releasing);
  stopTrimming();
  await Promise.all([exporting?.close(flushSpansMs), sources.flush()]);
  admin.close();
}

/** Resolves when the sidecar was told to stop and has finished what it could. */
async function drained(sidecar: Sidecar, { config, log, leave, stop }: RunOptions): Promise<void> {
  // The pod may have been asked to leave before any caller could come.
  void aborted(leave).then(() => {
    log("info", "callers are sent elsewhere");
    sidecar.sendCallersAway();
  });
  await aborted(stop);
  const graceMs = leave?.aborted ? Math.min(graceAfterLeaveMs, config.drainGraceMs) : config.drainGraceMs;
  log("info", "draining", { graceMs });
  await sidecar.drain(graceMs);
}

/** If spans are sent nowhere, none is made and callers' contexts pass unchanged. */
function tracerOf({ config, sampler, otlp }: RunOptions, clock: Clock, spans: SpanSink, recent: RecentSpans): Tracer {
  const sink = config.recentTraces || otlp !== undefined ? bothOf(recent, otlp && spans) : undefined;
  const errorSpans = new TokenBucket(errorSpanRate, clock);
  const errors = { sink: sink ?? recent, admit: () => errorSpans.tryTake() };
  return { sampler, ids: new IdSource(), clock, sink, errors };
}

/** What kubelet may ask about before it exists. */
interface Started {
  sidecar?: Sidecar;
  sources?: Sources;
}

interface Shown {
  readonly registry: MetricRegistry;
  readonly taps: RequestTaps;
  readonly wheel: TimerWheel;
  readonly started: Started;
}

function openPages({ config, log, logThreshold }: RunOptions, { registry, taps, wheel, started }: Shown) {
  const live = {
    taps,
    inForce: () => started.sources?.inForce() ?? [],
    identity: () => started.sources?.identity.spiffeId,
    state: () => started.sidecar?.state(),
  };
  return openAdmin({
    host: config.podIp,
    port: adminPort,
    registry,
    readiness: () => started.sidecar?.missing ?? ["certificate"],
    probes: config.probes,
    wheel,
    debug: new Map([...debugPages(live), [logLevelPath, showLogLevel(logThreshold)]]),
    changes: new Map([[logLevelPath, changeLogLevel(logThreshold, log)]]),
  });
}

function bothOf(recent: SpanSink, exported: SpanSink | undefined): SpanSink {
  if (exported === undefined) return recent;
  return {
    push(span) {
      recent.push(span);
      exported.push(span);
    },
  };
}

/** Traffic during the control plane's absence is reported to the next one, as far as it fits into one report. */
function reportTraffic(reporter: TrafficReporter, { connected, report }: Sources): NodeJS.Timeout {
  let toldAtMs = performance.now();
  return setInterval(() => {
    if (!connected()) return;
    const nowMs = performance.now();
    const fresh = reporter.take(nowMs - toldAtMs);
    toldAtMs = nowMs;
    if (fresh !== undefined) report(fresh);
  }, reportEveryMs).unref();
}

/**
 * Rejects if the original destination of redirected connections could not be read. Its modules are loaded only if connections are
 * redirected.
 */
async function openInterception({ interception, podIp }: SidecarConfig): Promise<ReadOriginalDestination | undefined> {
  if (interception === "off") return undefined;
  const { openOriginalDestination } = await import("./net/original-destination.ts");
  const opened = await openOriginalDestination(isIpv6(podIp) ? "::1" : "127.0.0.1");
  if (!opened.ok) throw new Error(opened.error);
  return opened.value;
}

/** OpenTelemetry is loaded only if traces are sent somewhere. */
async function startExport(
  { config, otlp: receiver, log }: RunOptions,
  spans: SpanQueue,
  wheel: TimerWheel,
): Promise<SpanExport | undefined> {
  if (receiver === undefined) return undefined;
  const { namespace, workload, pod } = config;
  const exporting = exportSpans(spans, {
    receiver,
    clock: performance,
    wheel,
    resource: {
      "service.name": workload,
      "service.namespace": namespace,
      "k8s.pod.name": pod,
      "tulle.proxy": "sidecar",
    },
    epochMs: performance.timeOrigin,
    batchDelayMs: Number(process.env["OTEL_BSP_SCHEDULE_DELAY"] ?? defaultBatchDelayMs),
  });
  // A certificate's file may be missing: requests are served anyway.
  return await exporting.catch((error: unknown) => {
    log("error", "traces are not exported", { reason: reasonOf(error) });
    return undefined;
  });
}

function counted(follow: Follow, { policyUpdates }: SidecarMetrics, onApplied: (kind: ResourceKind) => void): Follow {
  return (kind, name, apply) =>
    follow(kind, name, (resource, version) => {
      const refused = apply(resource, version);
      if (refused === undefined) onApplied(kind);
      policyUpdates.increment(policyUpdates.slot({ kind, outcome: refused === undefined ? "ack" : "nack" }));
      return refused;
    });
}

/** Resolves when the signal aborts; never if there is none. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
