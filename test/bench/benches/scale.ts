/**
 * `scale`: a control plane on a real API server with 10 and with 10,000 Services of 10 endpoints each, and a thousand sidecars:
 * how much memory it holds, what it does at rest, how long it takes to read everything, and what a change of one endpoint costs
 * it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { controlPlaneIdentity } from "../../../control-plane/identity/own-certificate.ts";
import { expectDone } from "../../cluster/control-plane/objects.ts";
import { putObjects } from "../../cluster/etcd.ts";
import { cpuNs, memoryOf } from "../accounting.ts";
import { BenchCluster, credentialsOf, type RunningControlPlane, startControlPlane } from "../cluster.ts";
import type { Ground } from "../ground.ts";
import { population, serviceName, servicePort, sliceName } from "../population.ts";
import { Processes } from "../processes.ts";
import type { Column, Metrics } from "../report.ts";
import { SubscriberFleet } from "../subscriber-fleet.ts";
import { type Bench, type BenchOptions, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  { metric: "start_s", says: "exec until it has read the whole cluster and serves" },
  { metric: "start_cpu_s", says: "CPU of that" },
  { metric: "rss", says: "MB with 1,000 sidecars connected, once it has been at rest" },
  { metric: "private", says: "the same, private and dirty" },
  { metric: "stream_kb", says: "KB, private and dirty, of each idle stream" },
  { metric: "rest_percent", says: "of a core, with 1,000 sidecars that have nothing to say" },
  { metric: "change_us", says: "CPU of one endpoint's change, told to 10 sidecars" },
];

const endpoints = 10;
const sidecars = 1_000;
const meshedServices = sidecars / endpoints;
/** Each sidecar dials `dialled` Services; `changing` Services change, and `knowing` sidecars know each of those. */
const dialled = 5;
const changing = 10;
const knowing = 10;
const rounds = 60;
const warmUpRounds = 30;
const settleMs = 10_000;

interface Size {
  readonly name: string;
  readonly services: number;
}

const sizes: readonly Size[] = [
  { name: "10", services: 10 },
  { name: "10000", services: 10_000 },
];

export const scale: Bench = {
  name: "scale",
  says: "the control plane with 10 and 10,000 Services of 10 endpoints, and 1,000 sidecars; needs test/cluster/tools",
  // Three intervals of a sidecar's PINGs, which are part of the cost of a connection at rest.
  defaults: { rounds: 1, seconds: 270 },
  async run(ground, options) {
    const wanted = sizes.filter(({ name }) => options.wants(name));
    const rows = await interleave(wanted, options, (size) => measure(size, ground, options));
    return { bench: "scale", ours: larger, columns, rows, notes: [] };
  },
};

function larger(name: string): string | undefined {
  return name === "10" ? "10000" : undefined;
}

async function measure({ services }: Size, ground: Ground, { seconds, progress }: BenchOptions): Promise<Metrics> {
  await using cluster = await BenchCluster.start();
  await using processes = new Processes();
  const { shop } = cluster;
  await shop.serviceAccount("web");
  await shop.pod("web-1", "web", { ip: "127.0.0.1" });
  progress(`putting ${services} Services into the API server`);
  await putObjects(cluster.server.etcd, population({ services, endpoints, meshedServices }));
  await sleep(settleMs);
  const controlPlane = await startControlPlane(cluster, ground.controlPlane, processes);
  const pids = [controlPlane.pid];
  const startCpuS = cpuNs(pids) / 1e9;
  await sleep(settleMs);
  const alone = memoryOf(pids).private;
  await using fleet = new SubscriberFleet();
  await connect(fleet, cluster, controlPlane, services);
  await sleep(settleMs);
  const { rss, private: held } = memoryOf(pids);
  const restNs = cpuNs(pids);
  await sleep(seconds * 1_000);
  const restPercent = ((cpuNs(pids) - restNs) / (seconds * 1e9)) * 100;
  await changeEndpoints(cluster, fleet, warmUpRounds);
  const beforeNs = cpuNs(pids);
  await changeEndpoints(cluster, fleet, rounds);
  const changeUs = (cpuNs(pids) - beforeNs) / 1e3 / (rounds * changing);
  return {
    start_s: controlPlane.startMs / 1e3,
    start_cpu_s: startCpuS,
    rss,
    private: held,
    stream_kb: ((held - alone) * 1_024) / sidecars,
    rest_percent: restPercent,
    change_us: changeUs,
  };
}

function portName(index: number): string {
  const { namespace, name } = serviceName(index);
  return `${name}.${namespace}.svc.cluster.local:${servicePort}`;
}

/** The first sidecars know the Services that change; the others know other Services, if there are any. */
async function connect(
  fleet: SubscriberFleet,
  cluster: BenchCluster,
  controlPlane: RunningControlPlane,
  services: number,
): Promise<void> {
  const quiet = services - changing;
  const subscribers = Array.from({ length: sidecars }, (_, index) => {
    if (index < knowing) return Array.from({ length: changing }, (_none, at) => portName(at));
    if (quiet === 0) return [];
    return Array.from({ length: dialled }, (_none, at) => portName(changing + ((index * dialled + at) % quiet)));
  });
  await fleet.connect({
    address: controlPlane.discovery,
    controlPlaneIdentity: controlPlaneIdentity("cluster.local"),
    credentials: await credentialsOf(cluster, controlPlane, "web"),
    namespace: cluster.shop.name,
    subscribers,
  });
}

/** In rounds of one change per Service, so that no two changes of one Service are merged. */
async function changeEndpoints({ api }: BenchCluster, fleet: SubscriberFleet, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < changing; at++) {
      const service = serviceName(at);
      const path = `/apis/discovery.k8s.io/v1/namespaces/${service.namespace}/endpointslices/${sliceName(service)}`;
      const body = [{ op: "replace", path: "/endpoints/0/zone", value: `moved-${moves++}` }];
      expectDone(await api.request({ method: "PATCH", path, contentType: "application/json-patch+json", body }));
    }
    await fleet.arrivals(changing * knowing);
  }
}

let moves = 0;
