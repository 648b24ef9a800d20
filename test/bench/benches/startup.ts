/** `startup`: the time from `exec` of the outbound proxy to the first answer through both. */

import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuNs } from "../accounting.ts";
import type { PreparedChain } from "../chain.ts";
import { chainsFor, ours } from "../chains.ts";
import type { Ground } from "../ground.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { type Endpoint, Processes, whenListening } from "../processes.ts";
import type { Column } from "../report.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  {
    metric: "first_ms",
    says: "exec to the first 200 over mutual TLS; ours asks for its certificate and its policy first",
  },
  { metric: "again_ms", says: "the same for a restart; ours has kept key, certificate and policy" },
  { metric: "first_cpu_ms", says: "CPU that the start took" },
];

const giveUpAfterMs = 10_000;
const retryMs = 2;

export const startup: Bench = {
  name: "startup",
  says: "exec to the first request through mutual TLS, first start and restart",
  defaults: { rounds: 10, seconds: 1 },
  async run(ground, options) {
    const chains = chainsFor("http1", ground.tools, options.wants);
    await using application = new Processes();
    application.start(nginxApplication(ground));
    await whenListening(ground.app);
    const rows = await interleave(chains, options, async (chain) => {
      await using processes = new Processes();
      const prepared = await chain.prepare(ground, "http1", processes);
      processes.start(prepared.inbound);
      await whenListening(prepared.link);
      const first = await timeStart(prepared, ground);
      const again = await timeStart(prepared, ground);
      return { first_ms: first.tookMs, again_ms: again.tookMs, first_cpu_ms: first.cpuMs };
    });
    return { bench: "startup", ours, columns, rows, notes: ground.tools.missing };
  },
};

async function timeStart({ outbound }: PreparedChain, { out }: Ground) {
  await using processes = new Processes();
  const startMs = performance.now();
  const pid = processes.start(outbound);
  while (!(await isAnswered(out))) {
    if (performance.now() - startMs > giveUpAfterMs) throw new Error(`no answer within ${giveUpAfterMs} ms`);
    await sleep(retryMs);
  }
  return { tookMs: performance.now() - startMs, cpuMs: cpuNs([pid]) / 1e6 };
}

const request = "GET /api/v1/items HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";

/** Simpler than `fetch`, so that the time is the proxy's. */
function isAnswered({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    socket.once("connect", () => socket.write(request));
    socket.once("data", (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk.toString("latin1").startsWith("HTTP/1.1 200"));
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.setTimeout(giveUpAfterMs, () => socket.destroy());
  });
}
