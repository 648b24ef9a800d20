/** Writes text whose code units are octets into a buffer. */

/** Up to this length a loop is faster than one call. */
const shortText = 16;
const shortBytes = 8;

/** Returns the offset after it. */
export function writeLatin1(buffer: Buffer, at: number, text: string): number {
  if (text.length > shortText) return at + buffer.write(text, at, "latin1");
  for (let i = 0; i < text.length; i++) buffer[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** The same for bytes prepared from constant text. */
export function copyBytes(buffer: Buffer, at: number, bytes: Buffer): number {
  if (bytes.length > shortBytes) buffer.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) buffer[at + i] = bytes[i] as number;
  return at + bytes.length;
}
