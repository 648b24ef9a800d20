/** `memory`: how much memory one proxy holds, before and after load; ours with its control stream and its exporter. */

import { type Memory, memoryOf } from "../accounting.ts";
import { whenAnswering } from "../answers.ts";
import { pidsOf, startChain } from "../chain.ts";
import { chainsFor, ours } from "../chains.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { Processes, whenListening } from "../processes.ts";
import type { Column } from "../report.ts";
import { type Bench, interleave } from "./bench.ts";
import { http1Work } from "./chain.ts";

const columns: readonly Column[] = [
  { metric: "idle_private", says: "MB of one proxy, private and dirty, after its first request" },
  { metric: "private", says: "the same after load" },
  { metric: "pss", says: "MB after load, shared pages in shares" },
  { metric: "rss", says: "MB after load" },
];

const proxies = 2;

export const memory: Bench = {
  name: "memory",
  says: "memory of one sidecar, idle and after load",
  defaults: { rounds: 3, seconds: 10 },
  async run(ground, options) {
    const chains = chainsFor("http1", ground.tools, options.wants);
    await using application = new Processes();
    application.start(nginxApplication(ground));
    await whenListening(ground.app);
    const rows = await interleave(chains, options, async (chain) => {
      await using processes = new Processes();
      const pids = pidsOf(await startChain(chain, ground, "http1", processes));
      await whenAnswering("http1", ground);
      const idle = perProxy(memoryOf(pids));
      await http1Work.saturate(ground, options.seconds, http1Work.connections);
      await http1Work.atRate(ground, options.seconds, http1Work.connections);
      return { idle_private: idle.private, ...perProxy(memoryOf(pids)) };
    });
    return { bench: "memory", ours, columns, rows, notes: ground.tools.missing };
  },
};

function perProxy({ rss, pss, private: own }: Memory): Memory & Record<string, number> {
  return { private: own / proxies, pss: pss / proxies, rss: rss / proxies };
}
