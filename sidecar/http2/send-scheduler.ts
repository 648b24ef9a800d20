/**
 * Who may send DATA next (RFC 9113 §5.2, §6.9): both windows, the outbox's high-water mark, and turns of one frame each
 * among the streams that had to wait, so that bulk starves nobody. Priorities (RFC 7540 §5.3) are ignored.
 */

import type { Outbox } from "../net/outbox.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { defaultWindowBytes, flag, flagsOffset, fullDataBytes, largestWindowBytes, writeData } from "./frames.ts";

const noBytes = Buffer.alloc(0);
/** Of a connection that is congested already: chunks of other writers, who could not be told before, go out behind what is there. */
const fullBytes = 512 * 1024;

/** A stream as the scheduler sees it. */
export interface Sender {
  readonly id: number;
  /** What the peer still allows this stream; negative after SETTINGS took some back (RFC 9113 §6.9.2). */
  sendWindowBytes: number;
  /** True while it stands in the queue for a turn. Owned by the scheduler. */
  isQueued: boolean;
  /** Sends at most one frame. True: it could send more at once. */
  takeTurn(): boolean;
}

export class SendScheduler {
  readonly #outbox: Outbox;
  readonly #guard: FloodGuard;
  #windowBytes = defaultWindowBytes;
  #queue: Sender[] = [];
  /** The DATA frame written last: whose it is, where it is, and the outbox's flushes then. */
  #lastSender: Sender | undefined;
  #lastFrameAt = 0;
  #lastFlushes = 0;

  constructor(outbox: Outbox, guard: FloodGuard) {
    this.#outbox = outbox;
    this.#guard = guard;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  get isCongested(): boolean {
    return this.#outbox.congested;
  }

  /** Nothing that could wait goes in any more. */
  get isFull(): boolean {
    return this.#outbox.unsentBytes >= fullBytes;
  }

  /** Octets of the connection that the kernel has taken since it began. */
  get sentBytes(): number {
    return this.#outbox.takenBytes;
  }

  /** The peer credits the connection. False: more than 2^31-1. */
  credit(bytes: number): boolean {
    this.#windowBytes += bytes;
    return this.#windowBytes <= largestWindowBytes;
  }

  /** Octets that may go out in one frame now, if the connection is not full. */
  allowance(sender: Sender): number {
    return Math.min(this.#windowBytes, sender.sendWindowBytes, fullDataBytes);
  }

  /** Writes one frame; `to - from` is within `allowance`. */
  send(sender: Sender, chunk: Buffer, from: number, to: number, endStream: boolean): void {
    this.#windowBytes -= to - from;
    sender.sendWindowBytes -= to - from;
    this.#guard.noteData();
    this.#lastFrameAt = writeData(this.#outbox, sender.id, chunk, from, to, endStream);
    this.#lastFlushes = this.#outbox.flushes;
    this.#lastSender = sender;
  }

  /**
   * Ends a stream by END_STREAM on its last DATA frame, if that is still here: saves a frame for each message whose
   * body and end come in one tick. Else by an empty frame.
   */
  end(sender: Sender): void {
    if (this.#lastSender !== sender || this.#lastFlushes !== this.#outbox.flushes) {
      return this.send(sender, noBytes, 0, 0, true);
    }
    const at = this.#lastFrameAt + flagsOffset;
    this.#outbox.buffer[at] = (this.#outbox.buffer[at] as number) | flag.endStream;
  }

  /** The stream is over; nothing of it is kept. */
  forget(sender: Sender): void {
    if (this.#lastSender === sender) this.#lastSender = undefined;
  }

  /** Puts a stream at the end of the queue; it gets its turn from `pump`. */
  enqueue(sender: Sender): void {
    if (sender.isQueued) return;
    sender.isQueued = true;
    this.#queue.push(sender);
  }

  /** Gives turns as long as there is room. Called when a window or the outbox opened. */
  pump(): void {
    while (this.#queue.length > 0 && this.#windowBytes > 0 && !this.#outbox.congested) {
      const sender = this.#queue.shift() as Sender;
      sender.isQueued = false;
      if (sender.takeTurn()) this.enqueue(sender);
    }
  }
}
