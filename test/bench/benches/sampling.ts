/** `sampling`: the cost of recording no trace, one in a hundred, and every one, with a receiver that accepts them all. */

import { startChain } from "../chain.ts";
import type { Ground } from "../ground.ts";
import { wrkWithoutTraces } from "../load.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { Processes, whenListening } from "../processes.ts";
import type { Column, Metrics } from "../report.ts";
import { countersOf } from "../sidecar-metrics.ts";
import { tulle } from "../tulle.ts";
import { type Bench, interleave } from "./bench.ts";
import { cpuColumns, http1Work, measureRunning, warmUp } from "./chain.ts";

/** The first sidecar decides; the second follows it. */
const chains = [
  { name: "0 %", samplingRatio: 0 },
  { name: "1 %", samplingRatio: 0.01 },
  { name: "100 %", samplingRatio: 1 },
] as const;
const work = { ...http1Work, saturate: wrkWithoutTraces };

const columns: readonly Column[] = [
  ...cpuColumns,
  { metric: "dropped", says: "spans that were recorded and found no room, of both loads" },
];

export const sampling: Bench = {
  name: "sampling",
  says: "0 %, 1 % and 100 % of the traces recorded: CPU per request and hop",
  defaults: { rounds: 3, seconds: 5 },
  async run(ground, options) {
    await using application = new Processes();
    application.start(nginxApplication(ground));
    await whenListening(ground.app);
    const wanted = chains.filter(({ name }) => options.wants(name));
    const rows = await interleave(wanted, options, (chain) => measure(chain, ground, options.seconds));
    const [first] = wanted;
    return { bench: "sampling", ours: () => first?.name, columns, rows, notes: [] };
  },
};

async function measure(chain: (typeof chains)[number], ground: Ground, seconds: number): Promise<Metrics> {
  await using processes = new Processes();
  const running = await startChain(tulle(chain), ground, work.wire, processes);
  await warmUp(work, ground);
  const before = await droppedBy(ground);
  const metrics = await measureRunning(running, work, ground, seconds);
  return { ...metrics, dropped: (await droppedBy(ground)) - before };
}

async function droppedBy({ client, server }: Ground): Promise<number> {
  const both = await Promise.all([client, server].map((host) => countersOf(host, "tulle_spans_dropped_total")));
  return both.flat().reduce((sum, { value }) => sum + value, 0);
}
