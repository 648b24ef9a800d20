/**
 * The server's end of an HTTP/2 connection, behind the preface. Any cut comes to the same; the rules between codec and
 * service hold; nothing stays behind; and a request that was let through is one to HTTP/1.1 as well.
 */

import assert from "node:assert/strict";
import { writeRequestHead } from "../../../sidecar/http1/writer.ts";
import { serveHttp2 } from "../../../sidecar/http2/server.ts";
import type { Exchange, RequestHead, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { readRequests } from "../../sidecar/http1/messages.ts";
import { preface } from "../../sidecar/http2/raw-peer.ts";
import { Answerer } from "../contract.ts";
import { letTimePass, MemorySocket, stillTime, turn } from "../memory-socket.ts";
import { written } from "../serialised.ts";
import { cut, type Target } from "../target.ts";
import { errorsIn, http2Dictionary, joinFrames, splitFrames } from "./http2-wire.ts";

export const http2Frames: Target = {
  name: "http2-frames",
  sources: ["/sidecar/http2/"],
  dictionary: http2Dictionary,
  maxInputBytes: 4096,
  split: splitFrames,
  join: joinFrames,
  async check(input, random) {
    const pieces = cut(Buffer.concat([preface, input]), random);
    const [whole, inPieces] = await Promise.all([serve([preface, input]), serve(pieces)]);
    assert.deepEqual(inPieces, whole);
    letTimePass();
  },
};

async function serve(pieces: readonly Buffer[]): Promise<unknown> {
  const socket = new MemorySocket();
  const answerers: Answerer[] = [];
  const service = (exchange: Exchange, response: ResponseSink) => {
    checkForwarded(exchange);
    const answerer = new Answerer(exchange, response);
    answerers.push(answerer);
    return answerer;
  };
  const server = serveHttp2(socket, service, stillTime);
  for (const piece of pieces) socket.deliver(piece);
  for (const answerer of answerers) answerer.resume();
  await turn();
  socket.deliverEnd();
  await turn();
  assert.deepEqual([server.state, server.activeStreams], ["closed", 0]);
  for (const answerer of answerers) assert.ok(answerer.isSettled, "a request that nobody ended");
  return { requests: answerers.map(({ account }) => account), errors: errorsIn(socket.sent) };
}

function checkForwarded(exchange: Exchange): void {
  if (exchange.method === "CONNECT") return; // opens a tunnel to this pod, and is never written as HTTP/1.1
  const text = written((outbox) => writeRequestHead(outbox, exchange, "none"));
  const { messages, refusal } = readRequests([text]);
  assert.equal(refusal, undefined);
  assert.equal(messages.length, 1);
  assert.deepEqual(understood(messages[0]?.head), understood(exchange));
}

/** `te: trailers` concerns one connection: the codec of HTTP/1.1 makes its own. */
function understood(head: RequestHead | undefined) {
  assert.ok(head !== undefined);
  const { method, authority, path, upgrade } = head;
  const headers = head.headers.copy();
  headers.remove("te");
  return { method, authority, path, headers: headers.flat, upgrade };
}
