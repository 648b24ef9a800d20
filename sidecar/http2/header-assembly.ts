/**
 * Puts a field block together from HEADERS and its CONTINUATION frames (RFC 9113 §4.3), within bounds: an endless one
 * is CVE-2024-27316. Bounded in octets and in frames, because an empty frame costs no octets.
 */

/** A block of 128 KiB needs 8 full frames; this leaves room for senders that cut finer. */
const mostFrames = 64;

export class HeaderAssembly {
  readonly #limitBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  streamId = 0;
  endStream = false;
  isMalformed = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** True between HEADERS without END_HEADERS and the last CONTINUATION: nothing else may come. */
  get isOpen(): boolean {
    return this.streamId !== 0;
  }

  begin(streamId: number, endStream: boolean, part: Buffer, isMalformed: boolean): void {
    this.streamId = streamId;
    this.endStream = endStream;
    this.isMalformed = isMalformed;
    this.#parts = [Buffer.from(part)];
    this.#bytes = part.length;
  }

  /** False: too much. */
  add(part: Buffer): boolean {
    this.#bytes += part.length;
    if (this.#bytes > this.#limitBytes || this.#parts.length >= mostFrames) return false;
    this.#parts.push(Buffer.from(part));
    return true;
  }

  /** The whole block; the assembly is empty again. */
  take(): Buffer {
    const block = Buffer.concat(this.#parts, this.#bytes);
    this.streamId = 0;
    this.#parts = [];
    return block;
  }
}
