/**
 * Reads HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10) into whole field blocks, which it hands on and does not decode.
 *
 * A block in one frame is handed on where it lies. One in several is put together within bounds: an endless one is
 * CVE-2024-27316. Bounded in time, in octets, and in frames, because an empty frame costs no octets.
 */

import { Deadline } from "../net/deadline.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { flag, type Http2ErrorName, readUint31 } from "./frames.ts";

/** A block of 128 KiB needs 8 full frames; this leaves room for senders that use smaller ones. */
const maxFrames = 64;

export interface BlockReceiver {
  readonly timers: TimerWheel;
  /** The block is `bytes[from, to)`, valid only during the call. `isMalformed`: the frame around it is. */
  receiveBlock(
    streamId: number,
    endStream: boolean,
    isMalformed: boolean,
    bytes: Buffer,
    from: number,
    to: number,
  ): void;
  fail(error: Http2ErrorName, reason: string): void;
  /** The peer sent too much of something. */
  calm(what: string): void;
}

export interface BlockLimits {
  /** The largest block, in encoded octets. */
  readonly bytes: number;
  /** How long a block may take from HEADERS to its last CONTINUATION. */
  readonly timeoutMs: number;
}

export class HeaderFrames {
  readonly #receiver: BlockReceiver;
  readonly #limits: BlockLimits;
  /** The stream of the incomplete block; 0: there is none. */
  #streamId = 0;
  #endStream = false;
  #isMalformed = false;
  #parts: Buffer[] = [];
  #bytes = 0;
  #deadline: Deadline | undefined;

  constructor(receiver: BlockReceiver, limits: BlockLimits) {
    this.#receiver = receiver;
    this.#limits = limits;
  }

  /** True between HEADERS without END_HEADERS and the last CONTINUATION: no other frame may come. */
  get isOpen(): boolean {
    return this.#streamId !== 0;
  }

  /** Receives HEADERS, whose payload is `bytes[payloadAt, payloadEnd)`. */
  begin(flags: number, streamId: number, bytes: Buffer, payloadAt: number, payloadEnd: number): void {
    const receiver = this.#receiver;
    if (streamId === 0) return receiver.fail("PROTOCOL_ERROR", "HEADERS on stream 0");
    let from = payloadAt;
    let to = payloadEnd;
    if ((flags & flag.padded) !== 0) {
      if (from < payloadEnd) to -= bytes[from] as number;
      from++;
    }
    const hasPriority = (flags & flag.priority) !== 0;
    const dependsOnItself = hasPriority && to >= from + 5 && readUint31(bytes, from) === streamId;
    if (hasPriority) from += 5;
    if (from > payloadEnd) return receiver.fail("FRAME_SIZE_ERROR", "HEADERS that are too short");
    if (from > to) return receiver.fail("PROTOCOL_ERROR", "padding longer than its frame");
    const endStream = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) receiver.receiveBlock(streamId, endStream, dependsOnItself, bytes, from, to);
    else this.#open(streamId, endStream, dependsOnItself, bytes.subarray(from, to));
  }

  #open(streamId: number, endStream: boolean, isMalformed: boolean, part: Buffer): void {
    this.#streamId = streamId;
    this.#endStream = endStream;
    this.#isMalformed = isMalformed;
    this.#parts = [Buffer.from(part)];
    this.#bytes = part.length;
    this.#deadline ??= new Deadline(() => this.#receiver.calm("a field block that takes too long"));
    this.#receiver.timers.arm(this.#deadline, this.#limits.timeoutMs);
  }

  /** Receives CONTINUATION. */
  resume(flags: number, streamId: number, part: Buffer): void {
    if (streamId !== this.#streamId) return this.#receiver.fail("PROTOCOL_ERROR", "CONTINUATION of another stream");
    this.#bytes += part.length;
    if (this.#bytes > this.#limits.bytes || this.#parts.length >= maxFrames)
      return this.#receiver.calm("a field block without end");
    this.#parts.push(Buffer.from(part));
    if ((flags & flag.endHeaders) !== 0) this.#close(streamId);
  }

  #close(streamId: number): void {
    const block = Buffer.concat(this.#parts, this.#bytes);
    this.#streamId = 0;
    this.#parts = [];
    this.stop();
    this.#receiver.receiveBlock(streamId, this.#endStream, this.#isMalformed, block, 0, block.length);
  }

  /** Drops an incomplete block, because nobody waits for the rest. */
  stop(): void {
    if (this.#deadline !== undefined) this.#receiver.timers.clear(this.#deadline);
  }
}
