/** Reads the scalars of protobuf's wire format. Throws a `RangeError` for anything missing or unterminated. */

const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

export class WireReader {
  /** The position of the next octet. */
  at = 0;
  readonly #bytes: Buffer;
  readonly #maxItems: number;
  #items = 0;

  constructor(bytes: Buffer, maxItems = Number.POSITIVE_INFINITY) {
    this.#bytes = bytes;
    this.#maxItems = maxItems;
  }

  /** Call it before each item of a list. */
  countItem(): void {
    this.#items++;
    if (this.#items > this.#maxItems) throw new RangeError(`more than ${this.#maxItems} items`);
  }

  /** A varint's lower 32 bits. */
  uint32(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#next();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError("a number without end");
  }

  /** Exact up to 2^53. */
  uint64(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#next();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number without end");
  }

  double(): number {
    const from = this.#advance(8);
    return this.#bytes.readDoubleLE(from);
  }

  string(): string {
    const to = this.delimited();
    const from = this.at;
    this.at = to;
    return this.#bytes.toString("utf8", from, to);
  }

  /** Returns a copy, so that the message does not keep the buffer it was read from. */
  bytes(): Buffer {
    const to = this.delimited();
    const from = this.at;
    this.at = to;
    return Buffer.from(this.#bytes.subarray(from, to));
  }

  /** Reads a length, and returns the position at which the measured part ends. */
  delimited(): number {
    const end = this.uint32() + this.at;
    if (end > this.#bytes.length) throw new RangeError("a field without end");
    return end;
  }

  /** Skips the value of an unknown tag. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireType.varint:
        this.uint64();
        break;
      case wireType.fixed64:
        this.#advance(8);
        break;
      case wireType.delimited:
        this.at = this.delimited();
        break;
      case wireType.fixed32:
        this.#advance(4);
        break;
      default:
        throw new RangeError(`wire type ${tag & 7}`);
    }
  }

  #next(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError("a message that is cut short");
    return byte;
  }

  #advance(length: number): number {
    const from = this.at;
    if (from + length > this.#bytes.length) throw new RangeError("a message that is cut short");
    this.at = from + length;
    return from;
  }
}
