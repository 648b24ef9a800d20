/** What our own writers make of a head, for reading it back. */

import assert from "node:assert/strict";
import type { Field } from "../../sidecar/http2/field.ts";
import { readRequest, requestPseudo } from "../../sidecar/http2/headers.ts";
import { HpackDecoder } from "../../sidecar/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../sidecar/http2/hpack/encoder.ts";
import type { RequestHead } from "../../sidecar/net/exchange.ts";
import { Outbox } from "../../sidecar/net/outbox.ts";

/** Bytes as latin1. */
export function written(write: (outbox: Outbox) => void): string {
  const chunks: Buffer[] = [];
  const target = {
    destroyed: false,
    write(chunk: Buffer, done: () => void) {
      chunks.push(Buffer.from(chunk));
      done();
      return true;
    },
  };
  const outbox = new Outbox(target, () => {});
  write(outbox);
  outbox.flush();
  return Buffer.concat(chunks).toString("latin1");
}

/** A request's head as the far end of a mesh link reads it. */
export function overHttp2(head: RequestHead): RequestHead {
  const encoder = new HpackEncoder(4096);
  const flat = [...requestPseudo(head), ...head.headers.flat];
  const block = Buffer.alloc(encoder.bound(flat));
  const end = encoder.encode(block, 0, flat, head.headers.sensitive);
  const fields: Field[] = [];
  assert.equal(new HpackDecoder(4096).decode(block.subarray(0, end), fields, 1 << 20), "ok");
  const received = readRequest(fields, head.bodyless, 1000);
  assert.ok(typeof received === "object", "a request that HTTP/2 would refuse");
  return received;
}
