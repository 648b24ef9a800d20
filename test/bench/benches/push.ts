/**
 * `push`: the time from a write to the API server until a client sees its sidecar behave differently, minus the time that the
 * API server itself takes to notify a watch; with one real sidecar, and with a thousand subscribers beside it.
 */

import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { sidecarNodeFlags } from "../../../cli/dev/mesh-processes.ts";
import { controlPlaneIdentity } from "../../../control-plane/identity/own-certificate.ts";
import { ensureBundles } from "../../../deploy/build.ts";
import { expectDone } from "../../cluster/control-plane/objects.ts";
import { SidecarProcess } from "../../cluster/control-plane/sidecar-process.ts";
import { cpuNs } from "../accounting.ts";
import { BenchCluster, credentialsOf, type RunningControlPlane, startControlPlane, trustBundleOf } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { type Endpoint, Processes, whenListening } from "../processes.ts";
import type { Column, Metrics } from "../report.ts";
import { percentile } from "../statistics.ts";
import { SubscriberFleet } from "../subscriber-fleet.ts";
import { WatchedGenerations } from "../watched-generations.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  { metric: "watch_p50", says: "ms from the write to a bare watch of the API server" },
  { metric: "watch_p99", says: "the same" },
  { metric: "seen_p50", says: "ms from there until the sidecar's client sees it" },
  { metric: "seen_p99", says: "the same" },
  { metric: "told_p99", says: "ms from there until each of the subscribers was told" },
  { metric: "cpu_us", says: "CPU µs of the control plane per subscriber and push, its ack included" },
];

/** Without a pause, the client and its sidecar would take the cores that the others need. */
const askEveryMs = 2;
/** The client can distinguish these. */
const statuses = [418, 429] as const;
const changes = 150;
const warmUpChanges = 30;
/** Longer than the windows in which changes are collected, so that each is the first. */
const pauseMs = 100;
const policyPath = "faultinjections/toggle";
const tulle = "tulle.dev/v1alpha1";

interface Audience {
  readonly name: string;
  readonly subscribers: number;
}

const audiences: readonly Audience[] = [
  { name: "1", subscribers: 0 },
  { name: "1000", subscribers: 1_000 },
];

export const push: Bench = {
  name: "push",
  says: "a policy's change to changed behaviour, 1 sidecar and 1,000 subscribers; needs test/cluster/tools",
  defaults: { rounds: 2, seconds: 1 },
  async run(ground, options) {
    await using cluster = await BenchCluster.start();
    await using processes = new Processes();
    const { shop } = cluster;
    await shop.serviceAccount("web");
    await shop.service("orders");
    await shop.pod("web-1", "web", { ip: ground.client });
    await shop.create(tulle, "faultinjections", toggle());
    const controlPlane = await startControlPlane(cluster, ground.controlPlane, processes);
    await using _sidecar = await startSidecar(cluster, controlPlane, ground);
    const wanted = audiences.filter(({ name }) => options.wants(name));
    const rows = await interleave(wanted, options, (audience) =>
      measure(audience, { cluster, controlPlane, client: ground.out }),
    );
    return { bench: "push", ours: () => undefined, columns, rows, notes: [] };
  },
};

function toggle() {
  const spec = {
    targetRefs: [{ kind: "Service", name: "orders" }],
    abort: { percent: 100, status: statuses[0] },
    until: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, "Z"),
  };
  return { apiVersion: tulle, kind: "FaultInjection", metadata: { name: "toggle" }, spec };
}

async function startSidecar(
  cluster: BenchCluster,
  { host }: RunningControlPlane,
  { client: podIp, out }: Ground,
): Promise<AsyncDisposable> {
  const { api, shop } = cluster;
  const { sidecar } = await ensureBundles();
  await trustBundleOf(cluster);
  const upstreams = `orders.${shop.name}:80=${out.host}:${out.port}`;
  const program = [...sidecarNodeFlags, sidecar];
  const common = { api, namespace: shop, controlPlane: host, program };
  const running = await SidecarProcess.start({ ...common, workload: "web", podIp, upstreams });
  await whenListening(out);
  return { [Symbol.asyncDispose]: () => running.stop() };
}

interface Stage {
  readonly cluster: BenchCluster;
  readonly controlPlane: RunningControlPlane;
  readonly client: Endpoint;
}

async function measure({ subscribers }: Audience, stage: Stage): Promise<Metrics> {
  const { cluster, controlPlane } = stage;
  await using fleet = new SubscriberFleet();
  if (subscribers > 0) await subscribe(fleet, stage, subscribers);
  await using watched = new WatchedGenerations(cluster.api, `/apis/${tulle}/namespaces/${cluster.shop.name}`);
  for (let change = 0; change < warmUpChanges; change++) await changeOnce(stage, fleet, watched, subscribers);
  const taken: Change[] = [];
  const beforeNs = cpuNs([controlPlane.pid]);
  for (let change = 0; change < changes; change++) taken.push(await changeOnce(stage, fleet, watched, subscribers));
  const cpuUs = (cpuNs([controlPlane.pid]) - beforeNs) / 1e3;
  const [watch, seen] = [sorted(taken.map(({ watchMs }) => watchMs)), sorted(taken.map(({ seenMs }) => seenMs))];
  const told = sorted(taken.flatMap(({ toldMs }) => toldMs));
  return {
    watch_p50: percentile(watch, 50),
    watch_p99: percentile(watch, 99),
    seen_p50: percentile(seen, 50),
    seen_p99: percentile(seen, 99),
    ...(subscribers > 0 && { told_p99: percentile(told, 99), cpu_us: cpuUs / changes / subscribers }),
  };
}

async function subscribe(fleet: SubscriberFleet, { cluster, controlPlane }: Stage, count: number): Promise<void> {
  await fleet.connect({
    address: controlPlane.discovery,
    controlPlaneIdentity: controlPlaneIdentity("cluster.local"),
    credentials: await credentialsOf(cluster, controlPlane, "web"),
    namespace: cluster.shop.name,
    subscribers: Array.from({ length: count }, () => [`orders.${cluster.shop.name}.svc.cluster.local:80`]),
  });
}

interface Change {
  readonly watchMs: number;
  /** Measured from the watch's notification, like the others. */
  readonly seenMs: number;
  readonly toldMs: readonly number[];
}

let written = 0;

async function changeOnce(
  { cluster, client }: Stage,
  fleet: SubscriberFleet,
  watched: WatchedGenerations,
  subscribers: number,
): Promise<Change> {
  await sleep(pauseMs);
  const status = statuses[++written % statuses.length] ?? 0;
  const body = [{ op: "replace", path: "/spec/abort/status", value: status }];
  const path = `/apis/${tulle}/namespaces/${cluster.shop.name}/${policyPath}`;
  const writtenAtMs = nowMs();
  const writing = cluster.api.request({ method: "PATCH", path, body, contentType: "application/json-patch+json" });
  const seenAtMs = await whenAnswering(client, status);
  const generation = Number(
    (expectDone(await writing).body as { metadata: { generation: number } }).metadata.generation,
  );
  const watchedAtMs = await watched.when(generation);
  const toldAtNs = subscribers === 0 ? [] : await fleet.arrivals(subscribers);
  return {
    watchMs: watchedAtMs - writtenAtMs,
    seenMs: seenAtMs - watchedAtMs,
    toldMs: toldAtNs.map((ns) => Number(ns) / 1e6 - watchedAtMs),
  };
}

/** On the clock that all processes of a machine share. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Asks until the answer has this status; returns the time when it did. */
function whenAnswering({ host, port }: Endpoint, status: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const ask = (): void => {
    const request = get({ host, port, agent }, (response) => {
      response.resume();
      if (response.statusCode === status) resolve(nowMs());
      else response.once("end", () => setTimeout(ask, askEveryMs));
    });
    request.once("error", reject);
  };
  ask();
  return promise;
}
