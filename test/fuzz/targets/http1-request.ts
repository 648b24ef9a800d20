/**
 * The parser of requests. Any cut reads like the whole; and what is written of an accepted request reads back as the same
 * request, by this codec and by the other one: a proxy that forwards other than it understood is a way to smuggle.
 */

import assert from "node:assert/strict";
import { defaultLimits } from "../../../sidecar/http1/limits.ts";
import type { ReceivedRequest } from "../../../sidecar/http1/request-head.ts";
import { writeChunk, writeLastChunk, writeRequestHead } from "../../../sidecar/http1/writer.ts";
import { Exchange, type RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { type Message, readRequests } from "../../sidecar/http1/messages.ts";
import { overHttp2, written } from "../serialised.ts";
import { cut, type Target } from "../target.ts";
import { http1Dictionary, joinLines, splitLines } from "./http1-text.ts";

export const http1Request: Target = {
  name: "http1-request",
  sources: ["/sidecar/http1/", "/sidecar/net/authority.ts"],
  dictionary: http1Dictionary,
  maxInputBytes: 4096,
  split: splitLines,
  join: joinLines,
  check(input, random) {
    const whole = readRequests([input.toString("latin1")]);
    const pieces = cut(input, random).map((piece) => piece.toString("latin1"));
    assert.deepEqual(readRequests(pieces), whole);
    for (const message of whole.messages) if (message.head !== undefined) checkForwarded(message.head, message);
  },
};

function checkForwarded(head: ReceivedRequest, message: Message<ReceivedRequest>): void {
  const text = written((outbox) => {
    writeRequestHead(outbox, new Exchange(head), head.bodyLength === "chunked" ? "chunked" : "none");
    if (!message.ended) return;
    const body = Buffer.from(message.body, "latin1");
    if (head.bodyLength !== "chunked") return outbox.append(body);
    if (body.length > 0) writeChunk(outbox, body);
    writeLastChunk(outbox, message.trailers === undefined ? undefined : new HeaderFields(message.trailers));
  });
  // What is written may be somewhat longer than what was read: line ends and standard names.
  const { messages, refusal } = readRequests([text], { headBytes: 2 * defaultLimits.headBytes });
  assert.equal(refusal, undefined);
  assert.equal(messages.length, 1);
  const forwarded = messages[0] as Message<ReceivedRequest>;
  assert.deepEqual(understood(forwarded.head), understood(head));
  assert.equal(forwarded.head?.bodyLength, head.bodyLength);
  if (message.ended) assert.deepEqual({ ...forwarded, head: undefined }, { ...message, head: undefined });
  const { headers, ...rest } = understood(head);
  assert.deepEqual(understood(overHttp2(head)), { ...rest, headers: withOneCookie(headers) });
}

/** Over HTTP/2 several Cookie fields are crumbs of one (RFC 9113 §8.2.3). */
function withOneCookie(flat: readonly string[]): string[] {
  const joined: string[] = [];
  let cookieAt = -1;
  for (const [name, value] of new HeaderFields([...flat])) {
    if (name === "cookie" && cookieAt >= 0) joined[cookieAt] += `; ${value}`;
    else if (joined.push(name, value) && name === "cookie") cookieAt = joined.length - 1;
  }
  return joined;
}

function understood(head: RequestHead | undefined) {
  assert.ok(head !== undefined);
  const { method, authority, path, headers, upgrade } = head;
  return { method, authority, path, headers: headers.flat, upgrade };
}
