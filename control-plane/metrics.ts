/** The control plane's metrics, served to Prometheus on `/metrics`. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ResourceKind } from "../model/resources.ts";
import type { StreamServerEvents } from "./grpc/stream-server.ts";
import type { IssueFault } from "./identity/identity-service.ts";
import type { PushEvents, SidecarLag } from "./push/push-hub.ts";
import type { NotProgrammed } from "./status/programmed.ts";

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The longest delay that Node's timers accept: 24 days. */
const longestTimerMs = 2 ** 31 - 1;

/** Read at each scrape. */
export interface MetricSources {
  readonly subscribers: () => number;
  /** The number of replicas of this control plane, including this one. */
  readonly replicas: () => number;
  readonly problems: () => { readonly error: number; readonly warning: number };
  /** Policies and routes. */
  readonly notProgrammed: () => NotProgrammed;
  readonly lags: () => readonly SidecarLag[];
  readonly rootExpiryMs: () => number;
  readonly rotationPhase: () => "settled" | "spreading" | "reissuing";
  readonly reviews: () => { readonly underWay: number; readonly waiting: number };
}

export class ControlPlaneMetrics {
  readonly registry = new Registry();
  readonly push: PushEvents;
  readonly #compileSeconds: Histogram;
  readonly #compiledUnits: Counter<"kind">;
  readonly #issued: Counter;
  readonly #refusedRequests: Counter<"reason">;
  readonly #refusedStreams: Counter;
  readonly #connections: Gauge<"port">;
  readonly #refusedOnPorts: Counter<"port" | "reason">;

  constructor() {
    const registers = [this.registry];
    // To measure the event loop's delay a timer wakes the process every 10 ms: that is 0.4 % of a core for nothing.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: longestTimerMs });
    for (const figure of ["min", "max", "mean", "stddev", "p50", "p90", "p99"]) {
      this.registry.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`);
    }
    // Gauges with names for counters: https://prometheus.io/docs/practices/naming/
    for (const what of ["handles", "requests", "resources"]) {
      this.registry.removeSingleMetric(`nodejs_active_${what}_total`);
    }
    this.#compileSeconds = new Histogram({
      name: "tulle_compile_seconds",
      help: "Time from a change of the source to the snapshot that has it.",
      buckets: secondsBuckets,
      registers,
    });
    this.#compiledUnits = new Counter({
      name: "tulle_compiled_units_total",
      help: "Units compiled: all Destinations or Endpoints of a Service, or an Inbound.",
      labelNames: ["kind"],
      registers,
    });
    this.#issued = new Counter({
      name: "tulle_certificates_issued_total",
      help: "Certificates issued to workloads.",
      registers,
    });
    this.#refusedRequests = new Counter({
      name: "tulle_certificates_refused_total",
      help: "Requests for a certificate that were refused, by reason.",
      labelNames: ["reason"],
      registers,
    });
    this.#refusedStreams = new Counter({
      name: "tulle_streams_refused_total",
      help: "Discovery streams refused because of their client certificate.",
      registers,
    });
    this.#connections = new Gauge({
      name: "tulle_grpc_connections",
      help: "Connections to the ports for sidecars, those in the middle of their handshake included.",
      labelNames: ["port"],
      registers,
    });
    this.#refusedOnPorts = new Counter({
      name: "tulle_grpc_refused_total",
      help: "Connections and calls on the ports for sidecars that were refused for what the client did, by reason.",
      labelNames: ["port", "reason"],
      registers,
    });
    this.push = pushMetrics(this.registry);
  }

  grpcPort(port: "discovery" | "identity"): StreamServerEvents {
    return {
      opened: () => this.#connections.inc({ port }),
      closed: () => this.#connections.dec({ port }),
      refused: (reason) => this.#refusedOnPorts.inc({ port, reason }),
    };
  }

  readonly countCompiled = (kind: ResourceKind): void => this.#compiledUnits.inc({ kind });
  readonly countRefusedStream = (): void => this.#refusedStreams.inc();
  readonly observeCompile = (seconds: number): void => this.#compileSeconds.observe(seconds);

  readonly countCertificate = (outcome: "issued" | IssueFault): void => {
    if (outcome === "issued") this.#issued.inc();
    else this.#refusedRequests.inc({ reason: outcome });
  };

  /** Adds the gauges, which are read from `sources` at each scrape. Call it once. */
  watch(sources: MetricSources): void {
    const registers = [this.registry];
    show(
      registers,
      "tulle_subscribers",
      "Sidecars with a Discovery stream to this control plane.",
      sources.subscribers,
    );
    show(
      registers,
      "tulle_replicas",
      "Replicas of the control plane whose acknowledgements this one knows, itself included.",
      sources.replicas,
    );
    showBy(
      registers,
      "severity",
      "tulle_problems",
      "Problems with the source and its policies, by severity.",
      sources.problems,
    );
    showBy(
      registers,
      "reason",
      "tulle_policies_not_programmed",
      "Policies and routes that are not in force at every sidecar that holds them, by the reason of their condition.",
      sources.notProgrammed,
    );
    watchLags(sources.lags, registers);
    show(
      registers,
      "tulle_root_expiry_timestamp_seconds",
      "The end of the validity of the mesh's root certificate, as Unix time.",
      () => sources.rootExpiryMs() / 1000,
    );
    show(
      registers,
      "tulle_root_rotation_phase",
      "The phase of a root rotation: 0 none, 1 the next root is being distributed, 2 certificates are being reissued.",
      () => ["settled", "spreading", "reissuing"].indexOf(sources.rotationPhase()),
    );
    showBy(
      registers,
      "state",
      "tulle_token_reviews",
      "Tokens that are being reviewed, and those that wait for a review.",
      () => {
        const { underWay, waiting } = sources.reviews();
        return { under_way: underWay, waiting };
      },
    );
  }
}

function show(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

/** One series for each value of a label. */
function showBy<Value extends string>(
  registers: Registry[],
  label: string,
  name: string,
  help: string,
  read: () => Readonly<Record<Value, number>>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers,
    collect() {
      for (const [value, count] of Object.entries<number>(read())) this.set({ [label]: value }, count);
    },
  });
}

/**
 * At most this many laggards are named: a mesh may have thousands of sidecars, and a change of all of them makes all lag
 * briefly.
 */
const maxNamed = 100;
const lagReasons = ["Pending", "Refused"] as const;

function watchLags(lags: MetricSources["lags"], registers: Registry[]): void {
  const furthest = (): SidecarLag[] =>
    lagReasons.flatMap((reason) =>
      lags()
        .filter((lag) => lag.reason === reason)
        .sort((a, b) => b.seconds - a.seconds)
        .slice(0, maxNamed),
    );
  new Gauge({
    name: "tulle_sidecars_behind",
    help: "Connected sidecars that do not have the newest version of everything they hold, by the reason.",
    labelNames: ["reason"],
    registers,
    collect() {
      for (const reason of lagReasons) this.set({ reason }, lags().filter((lag) => lag.reason === reason).length);
    },
  });
  new Gauge({
    name: "tulle_sidecar_versions_behind",
    help: "Resources of which a sidecar does not have the newest version, for the hundred sidecars that have lagged longest.",
    labelNames: ["sidecar", "reason"],
    registers,
    collect() {
      this.reset();
      for (const { sidecar, reason, versions } of furthest()) this.set({ sidecar, reason }, versions);
    },
  });
  new Gauge({
    name: "tulle_sidecar_lag_seconds",
    help: "Time since the oldest change that a sidecar does not have in force, for the hundred sidecars that have lagged longest.",
    labelNames: ["sidecar", "reason"],
    registers,
    collect() {
      this.reset();
      for (const { sidecar, reason, seconds } of furthest()) this.set({ sidecar, reason }, seconds);
    },
  });
}

function pushMetrics(registry: Registry): PushEvents {
  const registers = [registry];
  // These are counted for each subscriber of each push; prom-client's own counting is too slow for that.
  const counter = (name: string, help: string): { total: number } => {
    const count = { total: 0 };
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(count.total);
      },
    });
    return count;
  };
  const encoded = counter("tulle_push_encoded_total", "Resources encoded, each once for all of its subscribers.");
  const writes = counter("tulle_pushes_total", "Updates written to a subscriber.");
  const bytes = counter("tulle_push_bytes_total", "Bytes of updates written to subscribers.");
  const acks = counter("tulle_push_acks_total", "Resources that subscribers have put in force.");
  const nacks = counter("tulle_push_nacks_total", "Resources that subscribers could not apply.");
  const refused = counter("tulle_subscriptions_refused_total", "Subscriptions to another workload's Inbound.");
  const seconds = new Histogram({
    name: "tulle_push_seconds",
    help: "Time from a change of the snapshot to a subscriber's ack.",
    buckets: secondsBuckets,
    registers,
  });
  return {
    encoded: () => void encoded.total++,
    written: (length) => {
      writes.total++;
      bytes.total += length;
    },
    acked: (elapsed) => {
      acks.total++;
      seconds.observe(elapsed);
    },
    nacked: () => void nacks.total++,
    refused: () => void refused.total++,
  };
}
