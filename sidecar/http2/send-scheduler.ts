/**
 * Who may send DATA next (RFC 9113 §5.2, §6.9): both windows, the outbox's high-water mark, and turns of one frame each
 * among the streams that had to wait, so that bulk starves nobody. Priorities (RFC 7540 §5.3) are ignored.
 */

import type { Outbox } from "../net/outbox.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { defaultWindowBytes, flag, flagsOffset, fullDataBytes, largestWindowBytes, writeData } from "./frames.ts";

const noBytes = Buffer.alloc(0);
/**
 * The limit of a congested connection: up to this, chunks of other writers, who could not be told to stop before, still go out
 * behind what is there.
 */
const fullBytes = 512 * 1024;

/** A stream, as the scheduler sees it. */
export interface Sender {
  readonly id: number;
  /** What the peer still allows this stream; negative if its SETTINGS took some back (RFC 9113 §6.9.2). */
  sendWindowBytes: number;
  /** True while it is in the queue for a turn. Set by the scheduler only. */
  isQueued: boolean;
  /** Sends at most one frame. Returns true if it could send more at once. */
  takeTurn(): boolean;
}

export class SendScheduler {
  readonly #outbox: Outbox;
  readonly #guard: FloodGuard;
  #windowBytes = defaultWindowBytes;
  #queue: Sender[] = [];
  /** The last DATA frame: its stream, its offset, and the outbox's count of flushes at that time. */
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

  /** Whether nothing that can wait is accepted any more. */
  get isFull(): boolean {
    return this.#outbox.unsentBytes >= fullBytes;
  }

  /** How many octets of this connection the kernel has taken so far. */
  get sentBytes(): number {
    return this.#outbox.takenBytes;
  }

  /** The peer credits the connection. Returns false if the window exceeds 2^31-1. */
  credit(bytes: number): boolean {
    this.#windowBytes += bytes;
    return this.#windowBytes <= largestWindowBytes;
  }

  /** How many octets may be sent in one frame now, if the connection is not full. */
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
   * Ends a stream by END_STREAM on its last DATA frame, if that was not sent yet: this saves a frame for each message whose body
   * and end come in one tick. Otherwise by an empty frame.
   */
  end(sender: Sender): void {
    if (this.#lastSender !== sender || this.#lastFlushes !== this.#outbox.flushes) {
      return this.send(sender, noBytes, 0, 0, true);
    }
    const at = this.#lastFrameAt + flagsOffset;
    this.#outbox.buffer[at] = (this.#outbox.buffer[at] as number) | flag.endStream;
  }

  /** The stream has ended: drops all references to it. */
  forget(sender: Sender): void {
    if (this.#lastSender === sender) this.#lastSender = undefined;
  }

  /** Puts a stream at the end of the queue; it gets its turn from `pump`. */
  enqueue(sender: Sender): void {
    if (sender.isQueued) return;
    sender.isQueued = true;
    this.#queue.push(sender);
  }

  /** Gives turns as long as there is room. Called when a window or the outbox has room again. */
  pump(): void {
    while (this.#queue.length > 0 && this.#windowBytes > 0 && !this.#outbox.congested) {
      const sender = this.#queue.shift() as Sender;
      sender.isQueued = false;
      if (sender.takeTurn()) this.enqueue(sender);
    }
  }
}
