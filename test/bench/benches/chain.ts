/** `chain-h1` and `chain-h2`: CPU per request and hop, saturated and at 1,000 requests a second. */

import { cpuNs, memoryOf } from "../accounting.ts";
import { whenAnswering } from "../answers.ts";
import { type Chain, pidsOf, type RunningChain, startChain } from "../chain.ts";
import { chainsFor, ours } from "../chains.ts";
import type { Ground, Wire } from "../ground.ts";
import { fortio, h2load, h2loadAtRate, type Load, type LoadResult, wrk } from "../load.ts";
import { nghttpdApplication } from "../peers/nghttpd.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { type Command, Processes, whenListening } from "../processes.ts";
import type { Column, Metrics } from "../report.ts";
import { type Bench, type BenchOptions, interleave } from "./bench.ts";

/** One workload for a chain of HTTP proxies. */
export interface Work {
  readonly wire: Exclude<Wire, "tcp">;
  readonly connections: number;
  readonly application: (ground: Ground) => Command;
  readonly saturate: Load;
  readonly atRate: Load;
}

export const http1Work: Work = {
  wire: "http1",
  connections: 16,
  application: (ground) => nginxApplication(ground),
  saturate: wrk,
  atRate: fortio,
};

const http2Work: Work = {
  wire: "http2",
  connections: 4,
  application: nghttpdApplication,
  saturate: h2load,
  atRate: h2loadAtRate,
};

const hops = 2;
/**
 * This many times as long as the saturated load: in 5 s at 1,000/s only 50 requests are slower than the p99, and they come in
 * bunches.
 */
const timesAsLongAtRate = 4;
const warmUpSeconds = 2;
const warmUpRequests = 40_000;
const warmUpLoads = 8;

export const cpuColumns: readonly Column[] = [
  { metric: "sat_us", says: "CPU µs per request and hop, saturated (both proxies, halved)" },
  { metric: "1k_us", says: "the same at 1,000 requests a second" },
  { metric: "rps", says: "requests a second, saturated" },
  { metric: "p50", says: "ms at 1,000 a second" },
  { metric: "p99", says: "ms at 1,000 a second" },
  { metric: "p999", says: "ms at 1,000 a second" },
  { metric: "rss", says: "MB of both proxies after load" },
  { metric: "pss", says: "MB, shared pages in shares" },
  { metric: "private", says: "MB, private and dirty" },
  { metric: "sat_bad", says: "requests that failed, saturated" },
  { metric: "1k_bad", says: "requests that failed at 1,000 a second" },
];

export const chainH1: Bench = {
  name: "chain-h1",
  says: "HTTP/1.1 through two sidecars: 16 connections saturated, and 1,000/s",
  defaults: { rounds: 5, seconds: 5 },
  run: (ground, options) => runChains("chain-h1", http1Work, ground, options),
};

export const chainH2: Bench = {
  name: "chain-h2",
  says: "HTTP/2 through two sidecars: 4 connections of 8 streams saturated, and 1,000/s",
  defaults: { rounds: 5, seconds: 5 },
  run: (ground, options) => runChains("chain-h2", http2Work, ground, options),
};

async function runChains(bench: string, work: Work, ground: Ground, options: BenchOptions) {
  const chains = chainsFor(work.wire, ground.tools, options.wants);
  await using application = new Processes();
  application.start(work.application(ground));
  await whenListening(ground.app);
  const rows = await interleave(chains, options, (chain) => measureChain(chain, work, ground, options.seconds));
  return { bench, ours, columns: cpuColumns, rows, notes: ground.tools.missing };
}

async function measureChain(chain: Chain, work: Work, ground: Ground, seconds: number): Promise<Metrics> {
  await using processes = new Processes();
  const running = await startChain(chain, ground, work.wire, processes);
  await warmUp(work, ground);
  return await measureRunning(running, work, ground, seconds); // before the processes end
}

/** Runs both loads on a warm chain. */
export async function measureRunning(
  running: RunningChain,
  work: Work,
  ground: Ground,
  seconds: number,
): Promise<Metrics> {
  const pids = pidsOf(running);
  const saturated = await accounted(pids, () => work.saturate(ground, seconds, work.connections));
  const atRate = await accounted(pids, () => work.atRate(ground, seconds * timesAsLongAtRate, work.connections));
  return {
    sat_us: saturated.usPerHop,
    "1k_us": atRate.usPerHop,
    rps: saturated.result.perSecond,
    ...atRate.result.latencyMs,
    ...memoryOf(pids),
    sat_bad: saturated.result.failed,
    "1k_bad": atRate.result.failed,
  };
}

/** Resolves when the chain has answered enough requests to be as fast as it gets: Node compiles code that runs often. */
export async function warmUp(work: Work, ground: Ground): Promise<void> {
  await whenAnswering(work.wire, ground);
  let requests = 0;
  for (let load = 0; load < warmUpLoads && requests < warmUpRequests; load++)
    requests += (await work.saturate(ground, warmUpSeconds, work.connections)).requests;
}

async function accounted(
  pids: readonly number[],
  load: () => Promise<LoadResult>,
): Promise<{ readonly result: LoadResult; readonly usPerHop: number }> {
  const before = cpuNs(pids);
  const result = await load();
  const usPerHop = (cpuNs(pids) - before) / 1e3 / Math.max(result.requests, 1) / hops;
  return { result, usPerHop };
}
