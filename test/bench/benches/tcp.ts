/** `tcp`: the cost of a GiB of opaque bytes through mutual TLS, in either direction. */

import { join } from "node:path";
import { cpuNs } from "../accounting.ts";
import { whenAnswering } from "../answers.ts";
import { pidsOf, startChain } from "../chain.ts";
import { chainsFor, ours } from "../chains.ts";
import type { Ground } from "../ground.ts";
import { Processes, run, whenListening } from "../processes.ts";
import type { Column } from "../report.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  { metric: "down_ms_gib", says: "CPU ms per GiB and hop, from the application to the client" },
  { metric: "up_ms_gib", says: "the same, from the client to the application" },
  { metric: "down_mib_s", says: "MiB a second, four connections" },
  { metric: "up_mib_s", says: "MiB a second, four connections" },
];

const hops = 2;
const connections = 4;
const warmUpSeconds = 2;
const patienceSeconds = 10;
const mib = 1024 ** 2;
const gib = 1024 ** 3;

export const tcp: Bench = {
  name: "tcp",
  says: "opaque bytes through two sidecars, 4 connections, both directions",
  defaults: { rounds: 5, seconds: 5 },
  async run(ground, options) {
    const chains = chainsFor("tcp", ground.tools, options.wants);
    await using application = new Processes();
    const { host, port } = ground.app;
    const program = join(import.meta.dirname, "..", "tcp-application.ts");
    application.start({ command: process.execPath, args: [program, host, String(port)] });
    await whenListening(ground.app);
    const rows = await interleave(chains, options, async (chain) => {
      await using processes = new Processes();
      const pids = pidsOf(await startChain(chain, ground, "tcp", processes));
      await whenAnswering("tcp", ground);
      await move(ground, "down", warmUpSeconds);
      await move(ground, "up", warmUpSeconds);
      const down = await moveAccounted(pids, ground, "down", options.seconds);
      const up = await moveAccounted(pids, ground, "up", options.seconds);
      return {
        down_ms_gib: down.msPerGib,
        up_ms_gib: up.msPerGib,
        down_mib_s: down.mibPerSecond,
        up_mib_s: up.mibPerSecond,
      };
    });
    return { bench: "tcp", ours, columns, rows, notes: ground.tools.missing };
  },
};

type Direction = "down" | "up";

async function moveAccounted(pids: readonly number[], ground: Ground, direction: Direction, seconds: number) {
  const before = cpuNs(pids);
  const bytes = await move(ground, direction, seconds);
  const cpuMs = (cpuNs(pids) - before) / 1e6 / hops;
  return { msPerGib: cpuMs / (bytes / gib), mibPerSecond: bytes / mib / seconds };
}

async function move({ out }: Ground, direction: Direction, seconds: number): Promise<number> {
  const program = join(import.meta.dirname, "..", "tcp-load.ts");
  const args = [program, out.host, String(out.port), direction, String(seconds), String(connections)];
  return Number(await run({ command: process.execPath, args }, seconds + patienceSeconds));
}
