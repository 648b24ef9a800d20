/** Writes the scalars of protobuf's wire format into a buffer that grows. */

const firstBytes = 256;

export class WireWriter {
  #bytes = Buffer.allocUnsafe(firstBytes);
  #length = 0;

  /** Everything that was written. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  uint32(value: number): void {
    this.uint64(value >>> 0);
  }

  /** A whole number, 0 to 2^53. */
  uint64(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.uint32(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
  }

  bytes(value: Uint8Array): void {
    this.uint32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /**
   * Writes what `write` writes, after its length. Most lengths are short: room for one octet is reserved, and rarely extended.
   */
  delimited(write: () => void): void {
    this.#reserve(1);
    const from = ++this.#length;
    write();
    const length = this.#length - from;
    let more = 0;
    for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 128)) more++;
    this.#reserve(more);
    this.#bytes.copyWithin(from + more, from, this.#length);
    this.#length = from - 1;
    this.uint32(length);
    this.#length += length;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
