/** The parser of responses, to each kind of request. Any cut reads like the whole, and what is written reads back the same. */

import assert from "node:assert/strict";
import type { AskedRequest, ReceivedResponse } from "../../../sidecar/http1/response-head.ts";
import { writeResponseHead } from "../../../sidecar/http1/writer.ts";
import { readResponse } from "../../sidecar/http1/messages.ts";
import { written } from "../serialised.ts";
import { cut, type Target } from "../target.ts";
import { http1Dictionary, joinLines, splitLines } from "./http1-text.ts";

const asked: readonly AskedRequest[] = [
  { method: "GET" },
  { method: "HEAD" },
  { method: "CONNECT" },
  { method: "GET", upgrade: "websocket" },
];

export const http1Response: Target = {
  name: "http1-response",
  sources: ["/sidecar/http1/"],
  dictionary: http1Dictionary,
  maxInputBytes: 4096,
  split: splitLines,
  join: joinLines,
  check(input, random) {
    for (const request of asked) {
      const whole = readResponse([input.toString("latin1")], request);
      const pieces = cut(input, random).map((piece) => piece.toString("latin1"));
      assert.deepEqual(readResponse(pieces, request), whole);
      for (const { head } of whole.messages) if (head !== undefined && !head.switches) checkForwarded(head, request);
    }
  },
};

function checkForwarded(head: ReceivedResponse, request: AskedRequest): void {
  const isChunked = head.bodyLength === "chunked";
  const text = written((outbox) => writeResponseHead(outbox, head, isChunked ? "chunked" : "none", undefined));
  const { messages, refusal } = readResponse([text], request);
  assert.equal(refusal, undefined);
  assert.equal(messages.length, 1);
  assert.deepEqual(understood(messages[0]?.head), understood(head));
}

function understood(head: ReceivedResponse | undefined) {
  assert.ok(head !== undefined);
  const { status, headers, bodyless, bodyLength } = head;
  return { status, headers: headers.flat, bodyless, bodyLength };
}
