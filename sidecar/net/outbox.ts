/**
 * Collects what one tick writes to a connection, and writes it once: 75 % of a proxy's cost is system calls.
 *
 * Codecs serialise straight into `buffer` at the offset that `reserve` returns. All outboxes of the process are flushed
 * together at the end of the turn (`turn-end.ts`), after every socket that was readable in it has been read. A connection
 * that many requests share waits for a few turns more, as long as each of them brings several.
 * Buffers come from a pool and go back when the kernel has them, so an idle connection holds none.
 */

import net from "node:net";
import tls from "node:tls";
import { DirectWriter } from "./direct-writes.ts";
import { atTurnEnd } from "./turn-end.ts";

/** The socket that an outbox writes to: a `net.Socket` or a `tls.TLSSocket`. */
export interface OutboxTarget {
  write(chunk: Buffer, written: () => void): boolean;
  readonly destroyed: boolean;
}

const bufferBytes = 64 * 1024;
/** Turns for which several messages wait for others, at most. A fourth to an eighth brought nothing more. */
const maxExtraTurns = 3;
const pooledBuffers = 64;
const pool: Buffer[] = [];

let waiting: Outbox[] = [];
/** Empty: takes the place of `waiting` while those in it are flushed. */
let spare: Outbox[] = [];

function flushAll(): void {
  const flushed = waiting;
  waiting = spare;
  for (const outbox of flushed) outbox.flushInTurn();
  while (flushed.length > 0) flushed.pop(); // setting `length` is a call into V8's runtime
  spare = flushed;
}

interface Filled {
  readonly buffer: Buffer;
  readonly bytes: number;
}

export class Outbox {
  /** The buffer to write to; valid until the next call of any method. */
  buffer: Buffer = emptyBuffer;
  /** Counts finished buffers: while it stays the same, what was reserved is still in `buffer` and not being sent. */
  flushes = 0;
  /** Bytes that the kernel has taken, or never will. */
  takenBytes = 0;
  #target: OutboxTarget;
  #direct: DirectWriter | undefined;
  #onDrain: () => void;
  #highWaterBytes: number;
  #used = 0;
  readonly #inFlight: Filled[] = [];
  /**
   * Full buffers, waiting for those being written. A TLS socket that gets several writes at once would first copy them together.
   */
  readonly #held: Filled[] = [];
  #unsentBytes = 0;
  #scheduled = false;
  /** Messages begun since the last write, and how many of them had begun before this turn. */
  #messages = 0;
  #messagesBefore = 0;
  #extraTurns = 0;
  #congested = false;

  /** `onDrain` is called once after `congested` was true and everything was taken by the kernel. */
  constructor(target: OutboxTarget, onDrain: () => void, options: { highWaterBytes?: number } = {}) {
    this.#target = target;
    if (target instanceof net.Socket && !(target instanceof tls.TLSSocket)) this.#direct = new DirectWriter(target);
    this.#onDrain = onDrain;
    this.#highWaterBytes = options.highWaterBytes ?? 256 * 1024;
  }

  /** Bytes written here that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#unsentBytes + this.#used;
  }

  /** True: whoever feeds this connection should stop until `onDrain`. */
  get congested(): boolean {
    if (this.unsentBytes >= this.#highWaterBytes) this.#congested = true;
    return this.#congested;
  }

  /** Makes room for `length` contiguous bytes in `buffer` and returns their offset. At most 64 KiB at a time. */
  reserve(length: number): number {
    if (this.#used + length > this.buffer.length) this.#nextBuffer(length);
    if (!this.#scheduled) this.#schedule();
    const offset = this.#used;
    this.#used += length;
    return offset;
  }

  /** Returns the last `length` reserved bytes: for callers who know only an upper bound beforehand. */
  unreserve(length: number): void {
    this.#used -= length;
  }

  /** Copies bytes of any length. */
  append(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length) {
      const room = this.buffer.length - this.#used;
      const length = Math.min(chunk.length - from, room === 0 ? bufferBytes : room);
      const offset = this.reserve(length);
      if (length === chunk.length) this.buffer.set(chunk, offset);
      else chunk.copy(this.buffer, offset, from, from + length);
      from += length;
    }
  }

  /**
   * A request or a response begins in what is reserved next. If a turn brought several, more are likely to come, and a write into
   * TLS, a read from it and waking the reader cost more than the messages themselves: so they wait for another turn. A single
   * message never waits.
   */
  beginMessage(): void {
    this.#messages++;
  }

  /** Called at the end of the turn. While a write is in progress, the next one waits and grows. */
  flushInTurn(): void {
    this.#scheduled = false;
    if (this.#inFlight.length > 0) return;
    const isBusy = this.#messages - this.#messagesBefore > 1;
    if (!isBusy || this.#extraTurns === maxExtraTurns) return this.flush();
    this.#messagesBefore = this.#messages;
    this.#extraTurns++;
    this.#schedule();
  }

  /** Writes now what was collected: for callers who end the connection afterwards. */
  flush(): void {
    this.#scheduled = false;
    while (this.#held.length > 0) this.#writeHeld();
    const { buffer } = this;
    const used = this.#used;
    this.buffer = emptyBuffer;
    this.#used = 0;
    if (used === 0 || this.#target.destroyed) return release(buffer);
    this.flushes++;
    this.#messages = 0;
    this.#messagesBefore = 0;
    this.#extraTurns = 0;
    const chunk = buffer.subarray(0, used);
    const write = this.#direct?.write(chunk, this.#written) ?? "not-now";
    if (write === "taken") return this.#taken(buffer, used);
    this.#inFlight.push({ buffer, bytes: used });
    this.#unsentBytes += used;
    if (write === "not-now") this.#target.write(chunk, this.#written);
  }

  #hold(): void {
    if (this.#used === 0) return;
    this.#held.push({ buffer: this.buffer, bytes: this.#used });
    this.#unsentBytes += this.#used;
    this.#used = 0;
    this.flushes++;
  }

  #writeHeld(): void {
    const held = this.#held.shift() as Filled;
    this.#inFlight.push(held);
    this.#target.write(held.buffer.subarray(0, held.bytes), this.#written);
  }

  /** Called during the write, so `onDrain` is called later: a writer does not expect a call before its own has returned. */
  #taken(buffer: Buffer, bytes: number): void {
    this.takenBytes += bytes;
    release(buffer);
    if (this.#congested) process.nextTick(this.#relieve);
  }

  /** Writes complete in order, with or without an error. */
  #written = (): void => {
    // There is usually one, and `pop` is much cheaper than `shift`.
    const written = this.#inFlight.length === 1 ? this.#inFlight.pop() : this.#inFlight.shift();
    if (written === undefined) return;
    this.#unsentBytes -= written.bytes;
    this.takenBytes += written.bytes;
    release(written.buffer);
    if (this.#inFlight.length === 0) {
      if (this.#held.length > 0) this.#writeHeld();
      else if (this.#used > 0) this.flush();
    }
    this.#relieve();
  };

  #relieve = (): void => {
    if (!this.#congested || this.unsentBytes > 0) return;
    this.#congested = false;
    this.#onDrain();
  };

  #schedule(): void {
    this.#scheduled = true;
    if (waiting.push(this) === 1) atTurnEnd(flushAll);
  }

  #nextBuffer(length: number): void {
    if (length > bufferBytes)
      throw new RangeError(`an outbox takes at most ${bufferBytes} bytes at a time, got ${length}`);
    const scheduled = this.#scheduled;
    if (this.#direct === undefined && this.#inFlight.length > 0) this.#hold();
    else this.flush();
    this.#scheduled = scheduled;
    this.buffer = pool.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }
}

const emptyBuffer = Buffer.alloc(0);

function release(buffer: Buffer): void {
  if (buffer.length === bufferBytes && pool.length < pooledBuffers) pool.push(buffer);
}
