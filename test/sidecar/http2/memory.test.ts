/** What idle streams and connections keep, as `connection.ts` states it: measured after a full collection. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { type Http2ServerConnection, serveHttp2 } from "../../../sidecar/http2/server.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { nowhere } from "../../../sidecar/net/pass-through.ts";
import { MemorySocket, turn } from "../../fuzz/memory-socket.ts";
import { options } from "./peers.ts";
import {
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  indexedLiteral,
  post,
  preface,
  SETTINGS,
} from "./raw-peer.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Takes each request, and never answers. */
const waiting: Service = () => nowhere;
const answering: Service = (_exchange, response) => {
  response.head({ status: 204, headers: new HeaderFields(), bodyless: true });
  response.endResponse();
  return nowhere;
};
const greeting = Buffer.concat([preface, frame(SETTINGS, 0, 0)]);

async function keptBytes(): Promise<number> {
  await turn();
  collect();
  await turn(); // what was collected gives its buffers back
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it("holds less than 1.5 KiB for an open stream with a short head", async () => {
  const [first, count] = [100, 5_000];
  const socket = new MemorySocket();
  const connection = serveHttp2(socket, waiting, { ...options, maxConcurrentStreams: count });
  socket.deliver(greeting);
  const open = (from: number, to: number): void => {
    for (let i = from; i < to; i++) socket.deliver(headers(2 * i + 1, post, END_HEADERS));
  };
  open(0, first); // what is made once for all of them
  const before = await keptBytes();
  open(first, count);
  const each = ((await keptBytes()) - before) / (count - first);
  expect(connection.activeStreams).toBe(count);
  expect(each).toBeLessThan(1.5 * 1024);
  connection.destroy();
});

it("holds less than 12 KiB for an idle connection beyond its socket, including the header table that its peer has filled", async () => {
  const fields = Array.from({ length: 12 }, (_, i) => indexedLiteral(`x-${i}`, "v".repeat(1_000 + i)));
  const request = frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([block(get), ...fields]));
  async function begin(socket: MemorySocket): Promise<Http2ServerConnection> {
    const connection = serveHttp2(socket, answering, options);
    socket.deliver(greeting);
    socket.deliver(request);
    await turn();
    return connection;
  }
  await begin(new MemorySocket());
  const sockets = Array.from({ length: 400 }, () => new MemorySocket());
  const before = await keptBytes();
  const connections: Http2ServerConnection[] = [];
  for (const socket of sockets) connections.push(await begin(socket));
  const each = ((await keptBytes()) - before) / sockets.length;
  expect(connections.map(({ openedStreams, activeStreams }) => [openedStreams, activeStreams])).toEqual(
    connections.map(() => [1, 0]),
  );
  expect(each).toBeLessThan(12 * 1024);
  for (const connection of connections) connection.destroy();
});
