/**
 * `growth`: what a thousand of a thing cost: routes, endpoints of a Service, Services with a policy each, idle peers of an
 * inbound sidecar. Meshes with 1 and with 1,000 are measured alternately; the result is the median of the pairs' ratios.
 *
 * Only a rate that both reach allows a fair comparison. When saturated, a thousand application ports slow the far sidecar and
 * the application down; fewer requests then share a turn of the event loop, and each costs more in a sidecar that has nothing
 * to do with it. To show the size of that effect, there are peers whose inbound proxy chooses among the thousand ports, while
 * the outbound proxy, which is measured, knows nothing of them.
 */

import { cpuNs, memoryOf } from "../accounting.ts";
import { type Chain, startChain } from "../chain.ts";
import type { Ground } from "../ground.ts";
import { IdlePeers } from "../idle-peers.ts";
import { fortioAt, type Load } from "../load.ts";
import { envoy } from "../peers/envoy.ts";
import { haproxy } from "../peers/haproxy.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { defaultScale, type Scale } from "../policies.ts";
import { Processes, whenListening } from "../processes.ts";
import { type Column, type Metrics, medianOf, type Row } from "../report.ts";
import type { Tool } from "../tools.ts";
import { meshPort, tulle } from "../tulle.ts";
import { type Bench, interleave } from "./bench.ts";
import { http1Work, warmUp } from "./chain.ts";

const columns: readonly Column[] = [
  {
    metric: "1k_us",
    says: "CPU µs per request at 1,000/s of the one sidecar that holds them; of peers, the outbound proxy",
  },
  { metric: "5k_us", says: "the same at 5,000/s" },
  { metric: "10k_us", says: "the same at 10,000/s, or as near to it as the chain comes" },
  { metric: "sat_us", says: "the same, saturated" },
  { metric: "far_us", says: "of the other one, saturated" },
  { metric: "rps", says: "requests a second, saturated" },
  { metric: "private", says: "MB of the one that holds them, private and dirty, after load" },
];

const few = 1;
const many = 1_000;
/** All sizes of all chains reach the first; the second is near what a thousand endpoints allow when saturated. */
const fasterRates = [5_000, 10_000] as const;

/** A chain of a certain size; `holder` is the measured proxy. */
interface Size {
  readonly name: string;
  readonly holder: "outPid" | "inPid";
  readonly chain: Chain;
  readonly idlePeers: number;
}

type SizeOf = (count: number) => Omit<Size, "name">;

const things: Readonly<Record<string, SizeOf>> = {
  routes: (routes) => meshOf({ ...defaultScale, routes }),
  endpoints: (endpoints) => meshOf({ ...defaultScale, endpoints }),
  policies: (services) => meshOf({ ...defaultScale, services }),
  peers: (idlePeers) => ({ ...meshOf(defaultScale), holder: "inPid", idlePeers }),
};

const ofPeers: Readonly<Record<string, { readonly tool: Tool; readonly sizeOf: SizeOf }>> = {
  "haproxy-endpoints": { tool: "haproxy", sizeOf: (endpoints) => chainOf(haproxy("haproxy", "h2", endpoints)) },
  "envoy-endpoints": { tool: "envoy", sizeOf: (endpoints) => chainOf(envoy("envoy", "h2", endpoints)) },
};

function meshOf(scale: Scale): Omit<Size, "name"> {
  return chainOf(tulle({ scale }));
}

function chainOf(chain: Chain): Omit<Size, "name"> {
  return { holder: "outPid", chain, idlePeers: 0 };
}

export const growth: Bench = {
  name: "growth",
  says: "1 to 1,000 routes, endpoints, policies, idle peers: CPU per request, memory per item (--only routes,policies)",
  defaults: { rounds: 10, seconds: 3 },
  async run(ground, options) {
    await using application = new Processes();
    application.start(nginxApplication(ground, many));
    await whenListening(ground.app);
    const wanted = Object.entries({ ...things, ...peersIn(ground) }).filter(([thing]) => options.wants(thing));
    const rows: Row[] = [];
    for (const [thing, sizeOf] of wanted) {
      const sizes = [few, many].map((count) => ({ name: `${thing}-${count}`, ...sizeOf(count) }));
      rows.push(...(await interleave(sizes, options, (size) => measureSize(size, ground, options.seconds))));
    }
    const notes = wanted.flatMap(([thing]) => (thing in things ? [perItem(thing, rows)] : []));
    return { bench: "growth", ours: largerThan, columns, rows, notes: [...notes, ...ground.tools.missing] };
  },
};

function peersIn({ tools }: Ground): Record<string, SizeOf> {
  const installed = Object.entries(ofPeers).filter(([, { tool }]) => tools.find(tool) !== undefined);
  return Object.fromEntries(installed.map(([thing, { sizeOf }]) => [thing, sizeOf]));
}

function largerThan(name: string): string | undefined {
  return name.endsWith(`-${few}`) ? name.replace(/-\d+$/, `-${many}`) : undefined;
}

function perItem(thing: string, rows: readonly Row[]): string {
  const grownMb = medianOf(rows, `${thing}-${many}`, "private") - medianOf(rows, `${thing}-${few}`, "private");
  return `${thing}: ${((grownMb * 1_024) / (many - few)).toFixed(1)} KiB of private memory each`;
}

async function measureSize(size: Size, ground: Ground, seconds: number): Promise<Metrics> {
  await using processes = new Processes();
  await using peers = new IdlePeers();
  const running = await startChain(size.chain, ground, "http1", processes);
  const stateFolder = running.outbound.env?.["TULLE_STATE_DIR"] ?? "";
  await warmUp(http1Work, ground);
  if (size.idlePeers > 0) await peers.connect({ host: ground.server, port: meshPort }, stateFolder, size.idlePeers);
  const holder = running[size.holder];
  const other = holder === running.outPid ? running.inPid : running.outPid;
  const measure = async (load: Load) => {
    const before = [holder, other].map((pid) => cpuNs([pid]));
    const { requests, perSecond } = await load(ground, seconds, http1Work.connections);
    const [us = 0, farUs = 0] = [holder, other].map(
      (pid, i) => (cpuNs([pid]) - (before[i] ?? 0)) / 1e3 / Math.max(requests, 1),
    );
    return { us, farUs, perSecond };
  };
  const slow = await measure(http1Work.atRate);
  const fast = await measure(fortioAt(fasterRates[0]));
  const faster = await measure(fortioAt(fasterRates[1]));
  const saturated = await measure(http1Work.saturate);
  return {
    "1k_us": slow.us,
    "5k_us": fast.us,
    "10k_us": faster.us,
    sat_us: saturated.us,
    far_us: saturated.farUs,
    rps: saturated.perSecond,
    private: memoryOf([holder]).private,
  };
}
