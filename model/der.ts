/**
 * Reads DER (ITU-T X.690 §10), strictly: definite lengths in their shortest form, one-byte tags, nothing after the end.
 * It walks bytes and hands out positions; what they mean is the caller's business. It writes nothing.
 */

/** One element: tag, length, content. Positions are offsets in the bytes it was read from. */
export interface DerElement {
  readonly tag: number;
  /** Of the tag. */
  readonly start: number;
  /** Of the content. */
  readonly content: number;
  /** Of what follows. */
  readonly end: number;
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  /** Context-specific and constructed, as explicit tags and implicit sequences are. */
  context: (number: number): number => 0xa0 | number,
  /** Context-specific and primitive, as implicit strings are. */
  contextPrimitive: (number: number): number => 0x80 | number,
} as const;

/** The element at `at`, which must end by `end`. */
export function readElement(bytes: Uint8Array, at: number, end: number): DerElement | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (at + 2 > end || tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let content = at + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > 4 || content + lengthBytes > end) return undefined;
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[content + i] ?? 0);
    const shortest = length >= 0x80 && length >= 256 ** (lengthBytes - 1);
    if (!shortest) return undefined;
    content += lengthBytes;
  }
  if (content + length > end) return undefined;
  return { tag, start: at, content, end: content + length };
}

/** The one element that these bytes are. */
export function readWhole(bytes: Uint8Array, tag: number): DerElement | undefined {
  const element = readElement(bytes, 0, bytes.length);
  return element?.tag === tag && element.end === bytes.length ? element : undefined;
}

/** The elements that the content of this one consists of. */
export function readChildren(bytes: Uint8Array, parent: DerElement): DerElement[] | undefined {
  const children: DerElement[] = [];
  for (let at = parent.content; at < parent.end; ) {
    const child = readElement(bytes, at, parent.end);
    if (child === undefined) return undefined;
    children.push(child);
    at = child.end;
  }
  return children;
}

/** Whether the element, tag and length included, is exactly these bytes. */
export function isExactly(bytes: Uint8Array, element: DerElement, expected: Uint8Array): boolean {
  if (element.end - element.start !== expected.length) return false;
  return expected.every((byte, i) => bytes[element.start + i] === byte);
}
