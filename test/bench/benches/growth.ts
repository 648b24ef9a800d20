/**
 * `growth`: what a thousand of a thing cost: routes, endpoints of a Service, Services with a policy each, idle peers of an
 * inbound sidecar.
 * A mesh with 1 and one with 1,000 are measured in turns; what counts is the median of the pairs' ratios.
 *
 * Like is compared with like only at a rate that both reach. Saturated, a thousand application ports slow the far sidecar and the
 * application down; fewer requests then share a turn of the event loop, and each costs more in a sidecar that has nothing to do
 * with it.
 */

import { cpuNs, memoryOf } from "../accounting.ts";
import { startChain } from "../chain.ts";
import type { Ground } from "../ground.ts";
import { IdlePeers } from "../idle-peers.ts";
import type { Load } from "../load.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { type Scale, usualScale } from "../policies.ts";
import { Processes, whenListening } from "../processes.ts";
import { type Column, type Metrics, medianOf, type Row } from "../report.ts";
import { meshPort, tulle } from "../tulle.ts";
import { type Bench, interleave } from "./bench.ts";
import { http1Work, warmUp } from "./chain.ts";

const columns: readonly Column[] = [
  { metric: "1k_us", says: "CPU µs per request at 1,000/s of the one sidecar that holds them" },
  { metric: "sat_us", says: "the same, saturated" },
  { metric: "private", says: "its MB, private and dirty, after load" },
];

const few = 1;
const many = 1_000;

/** A mesh of a certain size; `holder` is the sidecar that is measured. */
interface Size {
  readonly name: string;
  readonly holder: "outPid" | "inPid";
  readonly scale: Scale;
  readonly idlePeers: number;
}

const things: Readonly<Record<string, (count: number) => Omit<Size, "name">>> = {
  routes: (routes) => ({ holder: "outPid", scale: { ...usualScale, routes }, idlePeers: 0 }),
  endpoints: (endpoints) => ({ holder: "outPid", scale: { ...usualScale, endpoints }, idlePeers: 0 }),
  policies: (services) => ({ holder: "outPid", scale: { ...usualScale, services }, idlePeers: 0 }),
  peers: (idlePeers) => ({ holder: "inPid", scale: usualScale, idlePeers }),
};

export const growth: Bench = {
  name: "growth",
  says: "1 to 1,000 routes, endpoints, policies, idle peers: CPU per request, memory per item (--only routes,policies)",
  defaults: { rounds: 10, seconds: 3 },
  async run(ground, options) {
    await using application = new Processes();
    const ports = Array.from({ length: many }, (_, place) => ground.app.port + place);
    application.start(nginxApplication(ground, ports));
    await whenListening(ground.app);
    const wanted = Object.entries(things).filter(([thing]) => options.wants(thing));
    const rows: Row[] = [];
    for (const [thing, sizeOf] of wanted) {
      const sizes = [few, many].map((count) => ({ name: `${thing}-${count}`, ...sizeOf(count) }));
      rows.push(...(await interleave(sizes, options, (size) => measureSize(size, ground, options.seconds))));
    }
    const notes = wanted.map(([thing]) => perItem(thing, rows));
    return { bench: "growth", ours: largerThan, columns, rows, notes };
  },
};

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
  const running = await startChain(tulle({ scale: size.scale }), ground, "http1", processes);
  const stateFolder = running.outbound.env?.["TULLE_STATE_DIR"] ?? "";
  await warmUp(http1Work, ground);
  if (size.idlePeers > 0) await peers.connect({ host: ground.server, port: meshPort }, stateFolder, size.idlePeers);
  const pid = running[size.holder];
  const usPerRequest = async (load: Load): Promise<number> => {
    const before = cpuNs([pid]);
    const { requests } = await load(ground, seconds, http1Work.connections);
    return (cpuNs([pid]) - before) / 1e3 / Math.max(requests, 1);
  };
  const atRateUs = await usPerRequest(http1Work.atRate);
  return { "1k_us": atRateUs, sat_us: await usPerRequest(http1Work.saturate), private: memoryOf([pid]).private };
}
