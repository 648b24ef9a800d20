/** The integers of HPACK: a prefix of some bits, then seven bits an octet (RFC 7541 §5.1). */

/** Reads integers from a block. It is a cursor, so that returning a value and a position allocates nothing. */
export class IntegerCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** The end of the block. */
  end = 0;

  /** Returns the next integer, or -1 if it is cut off or longer than any length that we would accept. */
  read(prefixBits: number): number {
    const { bytes, end } = this;
    if (this.at >= end) return -1;
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= end) return -1;
      const octet = bytes[this.at++] as number;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    return -1;
  }
}

/** The most octets that `writeInteger` needs for a value below 2^28. */
export const longestIntegerBytes = 5;

/** Writes `value` with the bits of `pattern` above the prefix, and returns the offset after it. */
export function writeInteger(buffer: Buffer, at: number, pattern: number, prefixBits: number, value: number): number {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    buffer[at++] = pattern | value;
    return at;
  }
  buffer[at++] = pattern | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    buffer[at++] = 0x80 | (rest & 0x7f);
    rest >>>= 7;
  }
  buffer[at++] = rest;
  return at;
}
