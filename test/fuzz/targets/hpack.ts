/**
 * HPACK: blocks one after the other through one decoder. An input is blocks, each behind its length in two octets.
 * What was decoded is encoded and decoded again, over tables that keep being resized, and is the same.
 */

import assert from "node:assert/strict";
import type { Random } from "../../../model/clock.ts";
import { Field } from "../../../sidecar/http2/field.ts";
import { HpackDecoder } from "../../../sidecar/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../sidecar/http2/hpack/encoder.ts";
import { latin1, type Target } from "../target.ts";

const lengthBytes = 2;
const limitBytes = 8 * 1024;
const tableBytes = 4096;

export const hpack: Target = {
  name: "hpack",
  sources: ["/sidecar/http2/hpack/", "/sidecar/http2/field.ts"],
  dictionary: [
    ...latin1("\x00", "\x10", "\x20", "\x3f", "\x40", "\x7f", "\x80", "\x82", "\xbe", "\xbf", "\xc0", "\xff"),
    ...latin1(
      "\x3f\xe1\x1f",
      "\x3f\xe2\x1f",
      "\xff\xff\xff\xff\x0f",
      "\x7f\xff\xff\xff\x7f",
      "\x40\x01x\x01y",
      "\x00\x01x\x01y",
    ),
    ...latin1(
      "\x10\x06cookie\x03a=b",
      "\x0f\x08\x03abc",
      "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
      "\x82\x86\x84\x41",
    ),
    ...latin1(
      "\x81\xff",
      "\x83\xff\xff\xff",
      "\x84\xff\xff\xff\xff",
      "content-length",
      "transfer-encoding",
      ":path",
      "__proto__",
      "\r\n",
    ),
  ],
  maxInputBytes: 2048,
  split(input) {
    const blocks: Buffer[] = [];
    for (let at = 0; at + lengthBytes <= input.length; ) {
      const end = at + lengthBytes + input.readUInt16BE(at);
      blocks.push(input.subarray(at + lengthBytes, end));
      at = end;
    }
    return blocks;
  },
  join(blocks) {
    return Buffer.concat(blocks.flatMap((block) => [lengthOf(block), block]));
  },
  check(input, random) {
    const decoder = new HpackDecoder(tableBytes);
    const tables = new Tables(random);
    for (const block of this.split(input)) {
      const fields: Field[] = [];
      const outcome = decoder.decode(block, fields, limitBytes);
      assert.ok(decoder.tableBytes <= tableBytes);
      if (outcome === "invalid") return;
      const sizeBytes = fields.reduce((sum, field) => sum + field.sizeBytes, 0);
      assert.ok(sizeBytes <= limitBytes);
      for (const field of fields) assert.deepEqual(field, new Field(field.name, field.value, field.isSensitive));
      tables.carry(fields, sizeBytes);
    }
  },
};

function lengthOf(block: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt16BE(block.length);
  return length;
}

/** Both ends of a connection, as far as HPACK goes. */
class Tables {
  readonly #random: Random;
  readonly #encoder = new HpackEncoder(tableBytes);
  readonly #decoder = new HpackDecoder(tableBytes);

  constructor(random: Random) {
    this.#random = random;
  }

  /** Sends fields across, and compares. */
  carry(fields: readonly Field[], sizeBytes: number): void {
    if (this.#random() < 0.2) this.#resize();
    const flat = fields.flatMap(({ name, value }) => [name, value]);
    const sensitive = fields.filter(({ isSensitive }) => isSensitive).map(({ name }) => name);
    const block = Buffer.alloc(this.#encoder.bound(flat));
    const end = this.#encoder.encode(block, 0, flat, sensitive);
    const decoded: Field[] = [];
    assert.equal(this.#decoder.decode(block.subarray(0, end), decoded, sizeBytes), "ok");
    assert.deepEqual(
      decoded.flatMap(({ name, value }) => [name, value]),
      flat,
    );
    for (const { name, isSensitive } of decoded) if (sensitive.includes(name)) assert.ok(isSensitive);
    assert.equal(this.#encoder.tableBytes, this.#decoder.tableBytes);
  }

  /** The decoder's end announces a limit, and its peer acknowledges it. */
  #resize(): void {
    const limit = Math.floor(this.#random() * tableBytes);
    this.#decoder.setLimit(limit);
    this.#encoder.setPeerLimit(limit);
  }
}
