/**
 * The sending half of HPACK (RFC 7541), straight into the buffer that goes to the socket.
 *
 * - A pair enters the dynamic table when it is seen for the second time: trace ids, dates and other one-off values never
 *   push out what repeats.
 * - Credentials are never-indexed (RFC 7541 §7.1.3): no guess at them can be tested against the table.
 * - No Huffman code (see `huffman.ts`).
 *
 * Hot: one Map per name, name → value → entry, cost 15 % less per request than one Map of joined keys.
 */

import { writeLatin1 } from "../../net/latin1.ts";
import { fieldOverheadBytes } from "../field.ts";
import { defaultTableBytes } from "../frames.ts";
import { longestIntegerBytes, writeInteger } from "./integers.ts";
import { staticFields } from "./static-table.ts";

/** A cookie this long can't be guessed bit by bit; a short one might be (nghttp2 draws the same line). */
const guessableCookieLength = 20;
/** All of them are in the static table. */
const credentials = new Set(["authorization", "proxy-authorization", "set-cookie"]);

/** What is known of a name beforehand. */
interface FixedName {
  /** Of the first entry with that name in the static table. */
  readonly index: number;
  /** Those of the static table; undefined: only the empty one, which is `index` too. */
  readonly values: Map<string, number> | undefined;
  readonly isCredential: boolean;
}

/** In one table: look-ups are most of what encoding costs. */
const fixedNames = new Map<string, FixedName>();
for (const [i, { name }] of staticFields.entries()) {
  if (fixedNames.has(name)) continue;
  const entries = staticFields.flatMap((field, at) => (field.name === name ? [[field.value, at + 1] as const] : []));
  const values = entries.length === 1 && entries[0]?.[0] === "" ? undefined : new Map(entries);
  fixedNames.set(name, { index: i + 1, values, isCredential: credentials.has(name) });
}

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly sizeBytes: number;
}

const candidateSlots = 64;

export class HpackEncoder {
  /** Our own bound, whatever the peer allows. */
  readonly #maxBytes: number;
  #limitBytes = defaultTableBytes;
  #sizeBytes = 0;
  /** name → value → the number of the insertion. The newest insertion has index 62. */
  readonly #numbers = new Map<string, Map<string, number>>();
  /** Oldest first; the first `#dropped` are evicted already, and cut off now and then. */
  #entries: Entry[] = [];
  #dropped = 0;
  #inserted = 0;
  /** Pairs seen once, as values in the slot of their hash. */
  readonly #candidates: string[] = [];
  /** The smallest limit since the last block, to be announced with the next (RFC 7541 §4.2). */
  #announceBytes: number | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.setPeerLimit(defaultTableBytes);
  }

  get tableBytes(): number {
    return this.#sizeBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerLimit(peerBytes: number): void {
    const limitBytes = Math.min(peerBytes, this.#maxBytes);
    if (limitBytes === this.#limitBytes) return;
    this.#announceBytes = Math.min(this.#announceBytes ?? limitBytes, limitBytes);
    this.#limitBytes = limitBytes;
    this.#evictDownTo(limitBytes);
  }

  /** Octets that `encode` writes at most for these fields. */
  bound(flat: readonly string[]): number {
    let bytes = 0;
    for (const text of flat) bytes += text.length + longestIntegerBytes;
    return bytes + 2 * longestIntegerBytes;
  }

  /**
   * Writes name, value, name, value … as one part of a block, and returns the offset after it. `sensitive` names enter
   * no table, here and further on.
   */
  encode(buffer: Buffer, at: number, flat: readonly string[], sensitive?: readonly string[]): number {
    let end = this.#announceBytes === undefined ? at : this.#announceLimit(buffer, at);
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string;
      const value = flat[i + 1] as string;
      const fixed = fixedNames.get(name);
      const isSecret = isCredential(fixed, name, value) || sensitive?.includes(name) === true;
      // Never-indexed: no intermediary may put it into a table either (RFC 7541 §6.2.3).
      if (isSecret) end = writeLiteral(buffer, end, 0x10, 4, fixed?.index ?? 0, name, value);
      else end = this.#encodeField(buffer, end, fixed, name, value);
    }
    return end;
  }

  #announceLimit(buffer: Buffer, at: number): number {
    const smallest = this.#announceBytes ?? this.#limitBytes;
    this.#announceBytes = undefined;
    const end = writeInteger(buffer, at, 0x20, 5, smallest);
    return smallest === this.#limitBytes ? end : writeInteger(buffer, end, 0x20, 5, this.#limitBytes);
  }

  #encodeField(buffer: Buffer, at: number, fixed: FixedName | undefined, name: string, value: string): number {
    const fixedIndex = fixed?.values === undefined && value === "" ? fixed?.index : fixed?.values?.get(value);
    if (fixedIndex !== undefined) return writeInteger(buffer, at, 0x80, 7, fixedIndex);
    const numbers = this.#numbers.get(name);
    const number = numbers?.get(value);
    if (number !== undefined) return writeInteger(buffer, at, 0x80, 7, this.#indexOf(number));
    const nameIndex = fixed?.index ?? this.#nameIndex(numbers);
    if (!this.#wasSeen(name, value)) return writeLiteral(buffer, at, 0x00, 4, nameIndex, name, value);
    this.#insert(name, value);
    return writeLiteral(buffer, at, 0x40, 6, nameIndex, name, value);
  }

  #indexOf(number: number): number {
    return staticFields.length + this.#inserted - number;
  }

  #nameIndex(numbers: Map<string, number> | undefined): number {
    if (numbers === undefined) return 0;
    for (const number of numbers.values()) return this.#indexOf(number);
    return 0;
  }

  /** True from the second time on, as far as the slot was not taken by another pair meanwhile. */
  #wasSeen(name: string, value: string): boolean {
    const size = name.length + value.length + fieldOverheadBytes;
    if (size > this.#limitBytes >> 1) return false;
    const middle = value.charCodeAt(value.length >> 1) | 0;
    const last = value.charCodeAt(value.length - 1) | 0;
    const slot = (name.length * 7 + value.length * 31 + middle * 13 + last * 5) & (candidateSlots - 1);
    if (this.#candidates[slot] === value) return true;
    this.#candidates[slot] = value;
    return false;
  }

  #insert(name: string, value: string): void {
    const sizeBytes = name.length + value.length + fieldOverheadBytes;
    this.#evictDownTo(this.#limitBytes - sizeBytes);
    this.#sizeBytes += sizeBytes;
    this.#entries.push({ name, value, sizeBytes });
    const numbers = this.#numbers.get(name);
    if (numbers === undefined) this.#numbers.set(name, new Map([[value, this.#inserted]]));
    else numbers.set(value, this.#inserted);
    this.#inserted++;
  }

  #evictDownTo(bytes: number): void {
    while (this.#sizeBytes > bytes && this.#dropped < this.#entries.length) {
      const { name, value, sizeBytes } = this.#entries[this.#dropped++] as Entry;
      this.#sizeBytes -= sizeBytes;
      const numbers = this.#numbers.get(name);
      numbers?.delete(value);
      if (numbers?.size === 0) this.#numbers.delete(name);
    }
    if (this.#dropped * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#dropped);
    this.#dropped = 0;
  }
}

function isCredential(fixed: FixedName | undefined, name: string, value: string): boolean {
  if (fixed === undefined) return false;
  return fixed.isCredential || (name === "cookie" && value.length < guessableCookieLength);
}

function writeLiteral(
  buffer: Buffer,
  at: number,
  pattern: number,
  prefixBits: number,
  nameIndex: number,
  name: string,
  value: string,
): number {
  let end = writeInteger(buffer, at, pattern, prefixBits, nameIndex);
  if (nameIndex === 0) end = writeString(buffer, end, name);
  return writeString(buffer, end, value);
}

function writeString(buffer: Buffer, at: number, text: string): number {
  return writeLatin1(buffer, writeInteger(buffer, at, 0x00, 7, text.length), text);
}
