/**
 * The sending half of HPACK (RFC 7541), straight into the buffer that goes to the socket.
 *
 * - A pair enters the dynamic table when it is seen for the second time: trace ids, dates and other one-off values never
 *   push out what repeats.
 * - Credentials are never-indexed (RFC 7541 §7.1.3): no guess at them can be tested against the table.
 * - No Huffman code (see `huffman.ts`).
 *
 * Hot: all that is known of a name is in one record, with the value that it had last, and blocks in a row mostly have the same
 * names at the same places: most fields cost two comparisons.
 */

import { writeLatin1 } from "../../net/latin1.ts";
import { fieldOverheadBytes } from "../field.ts";
import { defaultTableBytes } from "../frames.ts";
import { longestIntegerBytes, writeInteger } from "./integers.ts";
import { staticFields } from "./static-table.ts";

/** A cookie this long can't be guessed bit by bit; a shorter one might be (nghttp2 draws the same line). */
const guessableCookieLength = 20;
/** All of these names are in the static table. */
const credentials = new Set(["authorization", "proxy-authorization", "set-cookie"]);

/** What is known of a name from the start. */
interface FixedName {
  /** The index of the first entry with that name in the static table; 0: it has none. */
  readonly index: number;
  /** The values that the static table has for it, with their indexes. */
  readonly values: ReadonlyMap<string, number>;
  readonly isCredential: boolean;
}

const fixedNames = new Map<string, FixedName>();
for (const [i, { name }] of staticFields.entries()) {
  if (fixedNames.has(name)) continue;
  const entries = staticFields.flatMap((field, at) => (field.name === name ? [[field.value, at + 1] as const] : []));
  fixedNames.set(name, { index: i + 1, values: new Map(entries), isCredential: credentials.has(name) });
}

const unfixedName: FixedName = { index: 0, values: new Map(), isCredential: false };

/** What one connection knows about a name. */
class KnownName {
  readonly name: string;
  readonly fixed: FixedName;
  /** Whether this is still the record of its name. If all its entries were evicted, the name may have got a new one. */
  isCurrent = false;
  /** value → the number of its insertion into the dynamic table. Undefined: none is there. */
  numbers: Map<string, number> | undefined;
  /** The last value that was found in either table, and its place: the number of its insertion, or minus its static index. */
  lastValue: string | undefined;
  lastPlace = 0;

  constructor(name: string, fixed: FixedName) {
    this.name = name;
    this.fixed = fixed;
  }
}

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly sizeBytes: number;
}

const candidateSlots = 64;
/** This many names of the last block are recognised by their position. */
const maxPlaces = 32;

export class HpackEncoder {
  /** Our own limit, whatever the peer allows. */
  readonly #maxBytes: number;
  #limitBytes = defaultTableBytes;
  #sizeBytes = 0;
  /** Names of the static table that were sent before, and names with a dynamic entry. The newest insertion has index 62. */
  readonly #names = new Map<string, KnownName>();
  /** The names of the last block, by position. */
  readonly #places: KnownName[] = [];
  /** Oldest first. The first `#dropped` are already evicted; they are cut off from time to time. */
  #entries: Entry[] = [];
  #dropped = 0;
  #inserted = 0;
  /** Pairs seen once: the value, in the slot of the pair's hash. */
  readonly #candidates: string[] = [];
  /** The smallest limit set since the last block, to be announced with the next one (RFC 7541 §4.2). */
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

  /** The most octets that `encode` writes for these fields. */
  bound(flat: readonly string[]): number {
    let bytes = 0;
    for (const text of flat) bytes += text.length + longestIntegerBytes;
    return bytes + 2 * longestIntegerBytes;
  }

  /**
   * Writes name, value, name, value … as one part of a block, and returns the offset after it. `sensitive` names enter no table,
   * neither here nor at later hops. `fieldsBefore`: the number of fields in earlier parts of the block.
   */
  encode(buffer: Buffer, at: number, flat: readonly string[], sensitive?: readonly string[], fieldsBefore = 0): number {
    let end = this.#announceBytes === undefined ? at : this.#announceLimit(buffer, at);
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string;
      const value = flat[i + 1] as string;
      const known = this.#known(fieldsBefore + (i >> 1), name);
      const isSecret = isCredential(known.fixed, name, value) || sensitive?.includes(name) === true;
      // Never-indexed: intermediaries may not put it into a table either (RFC 7541 §6.2.3).
      if (isSecret) end = writeLiteral(buffer, end, 0x10, 4, known.fixed.index, name, value);
      else end = this.#encodeField(buffer, end, known, name, value);
    }
    return end;
  }

  #announceLimit(buffer: Buffer, at: number): number {
    const smallest = this.#announceBytes ?? this.#limitBytes;
    this.#announceBytes = undefined;
    const end = writeInteger(buffer, at, 0x20, 5, smallest);
    return smallest === this.#limitBytes ? end : writeInteger(buffer, end, 0x20, 5, this.#limitBytes);
  }

  #known(place: number, name: string): KnownName {
    const last = this.#places[place];
    if (last !== undefined && last.name === name && last.isCurrent) return last;
    const known = this.#names.get(name) ?? this.#meet(name);
    if (known.isCurrent && place < maxPlaces) this.#places[place] = known;
    return known;
  }

  /**
   * Makes a record for a name that has none. Only names of the static table are kept at once: there may be any number of others.
   */
  #meet(name: string): KnownName {
    const fixed = fixedNames.get(name);
    const known = new KnownName(name, fixed ?? unfixedName);
    if (fixed !== undefined) this.#keep(known);
    return known;
  }

  #keep(known: KnownName): void {
    this.#names.set(known.name, known);
    known.isCurrent = true;
  }

  #encodeField(buffer: Buffer, at: number, known: KnownName, name: string, value: string): number {
    if (known.lastValue !== value || !this.#isThere(known.lastPlace)) {
      const { index, values } = known.fixed;
      const fixedIndex = values.get(value);
      const place = fixedIndex === undefined ? known.numbers?.get(value) : -fixedIndex;
      if (place === undefined) {
        const nameIndex = index > 0 ? index : this.#nameIndex(known.numbers);
        if (!this.#wasSeen(name, value)) return writeLiteral(buffer, at, 0x00, 4, nameIndex, name, value);
        this.#insert(known, name, value);
        return writeLiteral(buffer, at, 0x40, 6, nameIndex, name, value);
      }
      known.lastValue = value;
      known.lastPlace = place;
    }
    const { lastPlace } = known;
    return writeInteger(buffer, at, 0x80, 7, lastPlace < 0 ? -lastPlace : this.#indexOf(lastPlace));
  }

  /** Whether it has not been evicted. */
  #isThere(place: number): boolean {
    return place < 0 || this.#inserted - place <= this.#entries.length - this.#dropped;
  }

  #indexOf(number: number): number {
    return staticFields.length + this.#inserted - number;
  }

  #nameIndex(numbers: Map<string, number> | undefined): number {
    if (numbers === undefined) return 0;
    for (const number of numbers.values()) return this.#indexOf(number);
    return 0;
  }

  /** True from the second time on, unless another pair has taken the slot meanwhile. */
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

  #insert(known: KnownName, name: string, value: string): void {
    const sizeBytes = name.length + value.length + fieldOverheadBytes;
    this.#evictDownTo(this.#limitBytes - sizeBytes);
    this.#sizeBytes += sizeBytes;
    this.#entries.push({ name, value, sizeBytes });
    known.numbers ??= new Map();
    known.numbers.set(value, this.#inserted);
    this.#keep(known); // what was evicted for it may have been all there was of the name
    this.#inserted++;
  }

  #evictDownTo(bytes: number): void {
    while (this.#sizeBytes > bytes && this.#dropped < this.#entries.length) {
      const { name, value, sizeBytes } = this.#entries[this.#dropped++] as Entry;
      this.#sizeBytes -= sizeBytes;
      const known = this.#names.get(name);
      known?.numbers?.delete(value);
      if (known?.numbers?.size !== 0 || known.fixed !== unfixedName) continue;
      this.#names.delete(name);
      known.isCurrent = false;
    }
    if (this.#dropped * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#dropped);
    this.#dropped = 0;
  }
}

function isCredential(fixed: FixedName, name: string, value: string): boolean {
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
