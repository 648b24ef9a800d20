/**
 * Keeps what servers have counted, since they come and go: how often each POST of each client was taken, and which servers have
 * taken their leave. `GET /times/CLIENT`: an array by the POST's number; `GET /ended`: names of pods.
 */

import { createServer, type ServerResponse } from "node:http";

interface Told {
  readonly pod: string;
  /** The place of the first among all that the pod has counted. */
  readonly from: number;
  /** Of each POST: the client's name, and its number. */
  readonly counted: readonly string[];
  readonly isLast: boolean;
}

const knownOf = new Map<string, number>();
const timesOf = new Map<string, number[]>();
const ended: string[] = [];

function note({ pod, from, counted, isLast }: Told): void {
  const known = knownOf.get(pod) ?? 0;
  for (const id of counted.slice(Math.max(0, known - from))) {
    const [client = "", number] = id.split(" ");
    const times = timesOf.get(client) ?? [];
    times[Number(number)] = (times[Number(number)] ?? 0) + 1;
    timesOf.set(client, times);
  }
  knownOf.set(pod, Math.max(known, from + counted.length));
  if (isLast) ended.push(pod);
}

function show(path: string, response: ServerResponse): void {
  const [, what, client = ""] = path.split("/");
  if (what === "times") response.end(JSON.stringify(timesOf.get(client) ?? []));
  else if (what === "ended") response.end(JSON.stringify(ended));
  else response.end();
}

const server = createServer((request, response) => {
  let told = "";
  request.setEncoding("utf8").on("data", (chunk: string) => {
    told += chunk;
  });
  request.on("end", () => {
    if (request.method === "POST") note(JSON.parse(told) as Told);
    show(request.url ?? "", response);
  });
}).listen(8_080);
process.once("SIGTERM", () => server.close());
