/**
 * Cuts received bytes into frames, wherever the network cut them (RFC 9113 §4.1).
 *
 * DATA is passed on as it arrives and never kept; any other frame is passed on whole, and copied only if a read ended
 * inside it. So what is held for a connection is at most one frame other than DATA. What frames mean is the receiver's.
 */

import type { Http2ErrorName } from "./frames.ts";
import { clientPreface, defaultMaxFrameBytes, flag, frameHeaderBytes, frameType, readUint31 } from "./frames.ts";

export interface FrameReceiver {
  /** True if no more frames are wanted; checked before each. */
  readonly isFailed: boolean;
  /** Any frame but DATA. Its payload is `bytes[from, to)`, valid only during the call. */
  receiveFrame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void;
  /** A DATA frame begins; `length` includes padding, as flow control counts it. */
  beginData(flags: number, streamId: number, length: number): void;
  /** Octets of the current DATA frame, without padding. */
  receiveData(chunk: Buffer): void;
  endData(): void;
  fail(error: Http2ErrorName, reason: string): void;
}

/**
 * ```
 *   preface ──▶ header ──▶ payload ──▶ header …
 *                  └─────▶ data ─────▶ header …
 * ```
 */
type Phase = "preface" | "header" | "payload" | "data";

const noBytes = Buffer.alloc(0);

export class FrameReader {
  readonly #receiver: FrameReceiver;
  #phase: Phase;
  /** How many octets of the preface, the frame header or the payload have arrived. */
  #have = 0;
  readonly #header = Buffer.alloc(frameHeaderBytes);
  #payload = noBytes;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #dataLeft = 0;
  #paddingLeft = 0;
  #padLengthIsNext = false;

  /** `expectsPreface`: on a server the client's preface comes first. */
  constructor(receiver: FrameReceiver, expectsPreface: boolean) {
    this.#receiver = receiver;
    this.#phase = expectsPreface ? "preface" : "header";
  }

  /** True inside a frame: a peer that stops there is slow or gone. */
  get isMidFrame(): boolean {
    return this.#phase !== "header" || this.#have > 0;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#receiver.isFailed) {
      switch (this.#phase) {
        case "header":
          at = this.#readHeader(chunk, at);
          break;
        case "data":
          at = this.#readData(chunk, at);
          break;
        case "payload":
          at = this.#readPayload(chunk, at);
          break;
        case "preface":
          at = this.#readPreface(chunk, at);
          break;
      }
    }
  }

  #readPreface(chunk: Buffer, at: number): number {
    const length = Math.min(clientPreface.length - this.#have, chunk.length - at);
    if (chunk.compare(clientPreface, this.#have, this.#have + length, at, at + length) !== 0) {
      this.#receiver.fail("PROTOCOL_ERROR", "not the preface of HTTP/2");
      return chunk.length;
    }
    this.#have += length;
    if (this.#have === clientPreface.length) {
      this.#have = 0;
      this.#phase = "header";
    }
    return at + length;
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#have === 0 && chunk.length - at >= frameHeaderBytes) {
      return this.#beginFrame(chunk, at, chunk, at + frameHeaderBytes);
    }
    const length = Math.min(frameHeaderBytes - this.#have, chunk.length - at);
    chunk.copy(this.#header, this.#have, at, at + length);
    this.#have += length;
    if (this.#have < frameHeaderBytes) return at + length;
    this.#have = 0;
    return this.#beginFrame(this.#header, 0, chunk, at + length);
  }

  /** Returns the offset to continue at: after the payload, if all of it is here. */
  #beginFrame(header: Buffer, at: number, chunk: Buffer, payloadAt: number): number {
    const length = ((header[at] as number) << 16) | ((header[at + 1] as number) << 8) | (header[at + 2] as number);
    const type = header[at + 3] as number;
    const flags = header[at + 4] as number;
    const streamId = readUint31(header, at + 5);
    if (length > defaultMaxFrameBytes) {
      this.#receiver.fail("FRAME_SIZE_ERROR", `a frame of ${length} octets`);
    } else if (type === frameType.data) {
      this.#beginData(flags, streamId, length);
    } else if (chunk.length - payloadAt >= length) {
      this.#receiver.receiveFrame(type, flags, streamId, chunk, payloadAt, payloadAt + length);
      return payloadAt + length;
    } else {
      this.#type = type;
      this.#flags = flags;
      this.#streamId = streamId;
      this.#payload = Buffer.allocUnsafe(length);
      this.#phase = "payload";
    }
    return payloadAt;
  }

  #readPayload(chunk: Buffer, at: number): number {
    const length = Math.min(this.#payload.length - this.#have, chunk.length - at);
    chunk.copy(this.#payload, this.#have, at, at + length);
    this.#have += length;
    if (this.#have < this.#payload.length) return at + length;
    const payload = this.#payload;
    this.#payload = noBytes;
    this.#have = 0;
    this.#phase = "header";
    this.#receiver.receiveFrame(this.#type, this.#flags, this.#streamId, payload, 0, payload.length);
    return at + length;
  }

  #beginData(flags: number, streamId: number, length: number): void {
    this.#padLengthIsNext = (flags & flag.padded) !== 0;
    if (this.#padLengthIsNext && length === 0) {
      return this.#receiver.fail("FRAME_SIZE_ERROR", "a padded frame without pad length");
    }
    this.#receiver.beginData(flags, streamId, length);
    if (length === 0) return this.#receiver.endData();
    this.#dataLeft = length;
    this.#paddingLeft = 0;
    this.#phase = "data";
  }

  #readData(chunk: Buffer, at: number): number {
    if (this.#padLengthIsNext) return this.#readPadLength(chunk, at);
    const length = Math.min(this.#dataLeft, chunk.length - at);
    this.#dataLeft -= length;
    if (length > 0) this.#receiver.receiveData(chunk.subarray(at, at + length));
    const padding = Math.min(this.#paddingLeft, chunk.length - at - length);
    this.#paddingLeft -= padding;
    if (this.#dataLeft === 0 && this.#paddingLeft === 0) this.#endData();
    return at + length + padding;
  }

  #readPadLength(chunk: Buffer, at: number): number {
    const padding = chunk[at] as number;
    this.#padLengthIsNext = false;
    this.#dataLeft -= 1 + padding;
    this.#paddingLeft = padding;
    if (this.#dataLeft < 0) {
      this.#receiver.fail("PROTOCOL_ERROR", "padding longer than its frame");
      return chunk.length;
    }
    if (this.#dataLeft === 0 && padding === 0) this.#endData();
    return at + 1;
  }

  #endData(): void {
    this.#phase = "header";
    this.#receiver.endData();
  }
}
