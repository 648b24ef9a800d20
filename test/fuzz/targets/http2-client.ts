/**
 * The client's end of an HTTP/2 connection: any bytes for answers. Any cut comes to the same, each request is answered or
 * aborted exactly once, nothing stays behind, and an answer that was let through is one to HTTP/1.1 as well.
 */

import assert from "node:assert/strict";
import { writeResponseHead } from "../../../sidecar/http1/writer.ts";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import type { RequestHead, ResponseHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { readResponse } from "../../sidecar/http1/messages.ts";
import { exchangeOf } from "../../support/exchange.ts";
import { Asker } from "../contract.ts";
import { letTimePass, MemorySocket, stillTime, turn } from "../memory-socket.ts";
import { written } from "../serialised.ts";
import { cut, type Target } from "../target.ts";
import { errorsIn, http2Dictionary, joinFrames, splitFrames } from "./http2-wire.ts";

export const http2Client: Target = {
  name: "http2-client",
  sources: ["/sidecar/http2/"],
  dictionary: http2Dictionary,
  maxInputBytes: 4096,
  split: splitFrames,
  join: joinFrames,
  async check(input, random) {
    const [whole, inPieces] = await Promise.all([ask([input]), ask(cut(input, random))]);
    assert.deepEqual(inPieces, whole);
    letTimePass();
  },
};

/** Streams 1, 3 and 5; 7 as soon as the server says that it takes upgrades. */
const asked: readonly Partial<RequestHead>[] = [
  { bodyless: true },
  { method: "HEAD", bodyless: true },
  { method: "POST", bodyless: false },
];
const upgrade: Partial<RequestHead> = { bodyless: false, upgrade: "websocket" };

async function ask(pieces: readonly Buffer[]): Promise<unknown> {
  const socket = new MemorySocket();
  const client = new Http2Client(socket, stillTime);
  const askers: { head: Partial<RequestHead>; asker: Asker }[] = [];
  const send = (head: Partial<RequestHead>): void => {
    const asker = new Asker();
    askers.push({ head, asker });
    const sink = client.request(exchangeOf(head), asker);
    if (head.bodyless === false) sink.writeRequest(Buffer.alloc(1000));
    if (head.upgrade === undefined) sink.endRequest(head.bodyless === false ? new HeaderFields(["x", "y"]) : undefined);
  };
  asked.forEach(send);
  client.onReady = () => {
    client.onReady = undefined;
    if (client.canUpgrade) send(upgrade);
  };
  for (const piece of pieces) socket.deliver(piece);
  await turn();
  socket.deliverEnd();
  await turn();
  assert.deepEqual([client.state, client.activeStreams], ["closed", 0]);
  for (const { head, asker } of askers) {
    assert.ok(asker.isSettled, "a request without an answer");
    if (asker.received !== undefined) checkForwarded(asker.received, head);
  }
  return { answers: askers.map(({ asker }) => asker.account), errors: errorsIn(socket.sent) };
}

function checkForwarded(head: ResponseHead, { method = "GET", upgrade: protocol }: Partial<RequestHead>): void {
  if (head.status === 101) return;
  const text = written((outbox) => writeResponseHead(outbox, head, "none", undefined));
  const { messages, refusal } = readResponse(
    [text],
    protocol === undefined ? { method } : { method, upgrade: protocol },
  );
  assert.equal(refusal, undefined);
  assert.equal(messages.length, 1);
  assert.equal(messages[0]?.head?.status, head.status);
}
