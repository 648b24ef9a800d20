/**
 * `names`: a million requests, each with its own host, path, method and field name, through two sidecars. Endless names in
 * traffic must leave nothing behind: series and memory are read after each tenth, and the bench fails if they grow.
 */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { memoryOf } from "../accounting.ts";
import { whenAnswering } from "../answers.ts";
import { pidsOf, startChain } from "../chain.ts";
import type { Ground } from "../ground.ts";
import { leftBehind } from "../left-behind.ts";
import { nginxApplication } from "../peers/nginx.ts";
import { type Endpoint, Processes, whenListening } from "../processes.ts";
import type { Column, Row } from "../report.ts";
import { metricsOf } from "../sidecar-metrics.ts";
import { tulle } from "../tulle.ts";
import type { Bench } from "./bench.ts";

const requests = 1_000_000;
const steps = 10;
const connections = 8;
/** The number of requests that one connection has under way. */
const perWrite = 50;
const statusLength = 3;

const columns: readonly Column[] = [
  { metric: "requests", says: "so far, each with names of its own" },
  { metric: "series", says: "of all metrics of both sidecars" },
  { metric: "out_rss", says: "MB of the outbound sidecar" },
  { metric: "out_private", says: "MB, private and dirty" },
  { metric: "in_rss", says: "MB of the inbound sidecar" },
  { metric: "in_private", says: "MB, private and dirty" },
];

export const names: Bench = {
  name: "names",
  says: "a million hosts, paths, methods and field names: series and memory",
  defaults: { rounds: 1, seconds: 1 },
  async run(ground, { progress }) {
    await using processes = new Processes();
    processes.start(nginxApplication(ground));
    await whenListening(ground.app);
    const [outPid, inPid] = pidsOf(await startChain(tulle(), ground, "http1", processes)) as [number, number];
    await whenAnswering("http1", ground);
    const rows: Row[] = [];
    for (let step = 0; step < steps; step++) {
      const each = requests / steps;
      await askWithNewNames(ground.out, step * each, each);
      const [out, inbound] = [memoryOf([outPid]), memoryOf([inPid])];
      const metrics = {
        requests: (step + 1) * each,
        series: await seriesOf(ground),
        out_rss: out.rss,
        out_private: out.private,
        in_rss: inbound.rss,
        in_private: inbound.private,
      };
      rows.push({ chain: `${(step + 1) * (100 / steps)} %`, round: 0, metrics });
      progress(JSON.stringify(metrics));
    }
    return { bench: "names", ours: () => undefined, columns, rows, notes: [], failures: leftBehind(rows) };
  },
};

async function seriesOf({ client, server }: Ground): Promise<number> {
  const both = await Promise.all([client, server].map((host) => metricsOf(host)));
  return both.flatMap((metrics) => [...metrics.values()]).reduce((sum, samples) => sum + samples.length, 0);
}

/** Rejects if any answer is not 200. */
async function askWithNewNames(to: Endpoint, first: number, count: number): Promise<void> {
  const each = count / connections;
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const socket = connect(to.port, to.host);
      await once(socket, "connect");
      const from = first + index * each;
      for (let n = from; n < from + each; n += perWrite) await askSome(socket, n, Math.min(perWrite, from + each - n));
      socket.destroy();
    }),
  );
}

async function askSome(socket: Socket, first: number, count: number): Promise<void> {
  let text = "";
  const answered = new Promise<void>((resolve, reject) => {
    const gone = (): void => reject(new Error(`the connection was closed after ${text}`));
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const [, ...heads] = text.split("HTTP/1.1 ");
      if (heads.length < count || (heads.at(-1) ?? "").length < statusLength) return;
      socket.off("data", take).off("close", gone);
      const wrong = heads.find((head) => !head.startsWith("200"));
      if (wrong === undefined) resolve();
      else reject(new Error(`it answers ${wrong}`));
    };
    socket.on("data", take).once("close", gone);
  });
  socket.write(Array.from({ length: count }, (_, index) => requestWith(lettersOf(first + index))).join(""));
  await answered;
}

function requestWith(name: string): string {
  return `${name.toUpperCase()} /${name}?q=${name} HTTP/1.1\r\nHost: ${name}.test\r\nX-${name}: ${name}\r\n\r\n`;
}

const letters = "abcdefghijklmnopqrstuvwxyz";

/** nginx accepts only letters in a method. */
function lettersOf(number: number): string {
  return `x${number.toString(26).replace(/./g, (digit) => letters[Number.parseInt(digit, 26)] ?? "")}`;
}
