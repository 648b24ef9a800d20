/**
 * The receiving half of HPACK (RFC 7541). It always decodes a whole block, also when the fields are too many to keep:
 * only so do both ends agree on the dynamic table afterwards.
 */

import { Field } from "../field.ts";
import { defaultTableBytes } from "../frames.ts";
import { DecodingTable } from "./decoding-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { IntegerCursor } from "./integers.ts";
import { staticFields } from "./static-table.ts";

/** `too-large`: `into` has only the first fields; `invalid`: the connection can't continue (COMPRESSION_ERROR). */
export type Decoded = "ok" | "too-large" | "invalid";

export class HpackDecoder {
  readonly #table = new DecodingTable(defaultTableBytes);
  readonly #cursor = new IntegerCursor();
  /** The largest table that the peer may set, in octets as RFC 7541 §4.1 counts them. */
  #limitBytes: number;
  /** If we lowered our limit below the table's size, the peer must announce the smaller size first (RFC 7541 §4.2). */
  #owesSizeUpdate = false;

  /** `limitBytes`: our announced limit. Until the peer has acknowledged it, it may use the protocol's default. */
  constructor(limitBytes: number) {
    this.#limitBytes = Math.max(defaultTableBytes, limitBytes);
  }

  /** Octets in the dynamic table. */
  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /** The peer has acknowledged our SETTINGS. */
  setLimit(limitBytes: number): void {
    this.#owesSizeUpdate = limitBytes < this.#table.limitBytes;
    this.#limitBytes = limitBytes;
  }

  /** Appends the fields of the block `bytes[from, to)` to `into`, up to a decoded size of `limitBytes` (RFC 9113 §6.5.2). */
  decode(bytes: Buffer, into: Field[], limitBytes: number, from = 0, to = bytes.length): Decoded {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.at = from;
    cursor.end = to;
    let mayUpdateSize = true;
    let decodedBytes = 0;
    while (cursor.at < to) {
      const first = bytes[cursor.at] as number;
      if ((first & 0xe0) === 0x20) {
        if (!mayUpdateSize || !this.#updateSize()) return "invalid";
        continue;
      }
      if (this.#owesSizeUpdate) return "invalid";
      mayUpdateSize = false;
      const field = first >= 0x80 ? this.#lookUp(cursor.read(7)) : this.#readLiteral(first);
      if (field === undefined) return "invalid";
      decodedBytes += field.sizeBytes;
      if (decodedBytes <= limitBytes) into.push(field);
    }
    return decodedBytes <= limitBytes ? "ok" : "too-large";
  }

  #updateSize(): boolean {
    const size = this.#cursor.read(5);
    if (size < 0 || size > this.#limitBytes) return false;
    this.#owesSizeUpdate = false;
    this.#table.resize(size);
    return true;
  }

  /** Index 0 and indexes beyond the table have no field; nor has -1, an integer that could not be read. */
  #lookUp(index: number): Field | undefined {
    return index <= staticFields.length ? staticFields[index - 1] : this.#table.at(index - staticFields.length - 1);
  }

  #readLiteral(first: number): Field | undefined {
    const isIndexed = (first & 0x40) !== 0;
    const nameIndex = this.#cursor.read(isIndexed ? 6 : 4);
    const name = nameIndex === 0 ? this.#readString() : this.#lookUp(nameIndex)?.name;
    if (name === undefined) return undefined;
    const value = this.#readString();
    if (value === undefined) return undefined;
    const field = new Field(name, value, (first & 0xf0) === 0x10);
    if (isIndexed) this.#table.insert(field);
    return field;
  }

  #readString(): string | undefined {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    const isHuffman = ((bytes[cursor.at] ?? 0) & 0x80) !== 0;
    const length = cursor.read(7);
    const from = cursor.at;
    const to = from + length;
    if (length < 0 || to > cursor.end) return undefined;
    cursor.at = to;
    return isHuffman ? decodeHuffman(bytes, from, to) : bytes.toString("latin1", from, to);
  }
}
