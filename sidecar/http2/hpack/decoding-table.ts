/**
 * The dynamic table on the receiving side (RFC 7541 §2.3.2): a ring of fields, the newest first.
 * The ring grows with what the peer really inserts, so an idle connection pays for what it holds.
 */

import type { Field } from "../field.ts";

export class DecodingTable {
  #ring: (Field | undefined)[] = [];
  /** The oldest field's place in the ring. */
  #oldest = 0;
  #count = 0;
  #sizeBytes = 0;
  #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** Index 0 is the newest. */
  at(index: number): Field | undefined {
    if (index < 0 || index >= this.#count) return undefined;
    return this.#ring[(this.#oldest + this.#count - 1 - index) & (this.#ring.length - 1)];
  }

  /** A field larger than the table empties it, which is not an error (RFC 7541 §4.4). */
  insert(field: Field): void {
    this.#evictDownTo(this.#limitBytes - field.sizeBytes);
    if (field.sizeBytes > this.#limitBytes) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#oldest + this.#count) & (this.#ring.length - 1)] = field;
    this.#count++;
    this.#sizeBytes += field.sizeBytes;
  }

  resize(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#evictDownTo(limitBytes);
  }

  #evictDownTo(bytes: number): void {
    while (this.#count > 0 && this.#sizeBytes > bytes) {
      this.#sizeBytes -= this.#ring[this.#oldest]?.sizeBytes ?? 0;
      this.#ring[this.#oldest] = undefined;
      this.#oldest = (this.#oldest + 1) & (this.#ring.length - 1);
      this.#count--;
    }
  }

  /** The size stays a power of two, so that a mask can replace the remainder. */
  #grow(): void {
    const larger: (Field | undefined)[] = Array.from({ length: Math.max(8, this.#ring.length * 2) });
    for (let i = 0; i < this.#count; i++) larger[i] = this.at(this.#count - 1 - i);
    this.#ring = larger;
    this.#oldest = 0;
  }
}
