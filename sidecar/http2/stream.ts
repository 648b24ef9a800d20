/**
 * One stream, either end (RFC 9113 §5): its state, what it may send and receive, and the body bytes that had to wait.
 *
 * What is kept: body octets that the writer had already received when it was told to stop (rule 3 of `exchange.ts`).
 * Received octets are never kept here. Heads and their meaning are `server-stream.ts` and `client-stream.ts`.
 */

import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import type { Field } from "./field.ts";
import { StreamWindow, type StreamWindowLimits, type WindowBudget } from "./flow-control.ts";
import { type Http2ErrorName, largestWindowBytes } from "./frames.ts";
import type { Decoded } from "./hpack/decoder.ts";
import type { Sender, SendScheduler } from "./send-scheduler.ts";

/**
 * ```
 *   open ──end sent──────▶ half-closed-local ───end received──▶ closed
 *    ├─────end received──▶ half-closed-remote ──end sent──────▶ closed
 *    └─────RST_STREAM sent or received, connection lost───────▶ closed
 * ```
 */
export type StreamState = "open" | "half-closed-local" | "half-closed-remote" | "closed";

/** What a stream needs from its connection. */
export interface StreamHost {
  readonly scheduler: SendScheduler;
  readonly timers: TimerWheel;
  readonly clock: Clock;
  readonly windowLimits: StreamWindowLimits;
  readonly windowBudget: WindowBudget;
  /** How long a writer may wait for the peer to take octets, in ms. */
  readonly stallTimeoutMs: number;
  /** The least that the peer must take in that time, unless other streams are in the way. */
  readonly minBytesPerStall: number;
  sendHeaders(streamId: number, pseudo: readonly string[], headers: HeaderFields | undefined, endStream: boolean): void;
  sendReset(streamId: number, error: Http2ErrorName): void;
  sendWindowUpdate(streamId: number, increment: number): void;
  /** The stream is closed, and takes no more frames. */
  forget(stream: Http2Stream, closing: "ended" | "reset-here" | "reset-there"): void;
  /** The peer takes nothing at all any more: destroys the connection. */
  destroyStalled(): void;
}

/** The end of what a stream sends, while body octets are still waiting before it. */
interface PendingEnd {
  readonly trailers: HeaderFields | undefined;
}

const noPseudo: readonly string[] = [];

export abstract class Http2Stream implements Sender {
  id: number;
  state: StreamState = "open";
  sendWindowBytes: number;
  isQueued = false;
  protected readonly host: StreamHost;
  readonly #window: StreamWindow;
  /** Body octets announced by content-length and not received yet; -1: no length was announced. */
  #announcedBytes = -1;
  /** The same at the last check; -1: nobody was waiting for the peer then. */
  #announcedBefore = -1;
  /** Octets that the receiver took but has not finished with. */
  #heldBytes = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #pendingEnd: PendingEnd | undefined;
  #writerWaits = false;
  #stall: StallTimer | undefined;
  /** Waiting octets that were sent since the stall timer was armed, and what the whole connection had sent before. */
  #takenBytes = 0;
  #sentBefore = 0;

  constructor(host: StreamHost, id: number, sendWindowBytes: number) {
    this.host = host;
    this.id = id;
    this.sendWindowBytes = sendWindowBytes;
    this.#window = new StreamWindow(host.windowLimits, host.windowBudget, host.clock);
  }

  /** A header section arrived for this stream. */
  abstract receiveHeaders(fields: readonly Field[], decoded: Decoded, endStream: boolean): void;
  /** Returns false if the receiver wants no more until `resumeReceiving`. */
  protected abstract deliver(chunk: Buffer): boolean;
  protected abstract deliverEnd(trailers: HeaderFields | undefined): void;
  protected abstract resumeWriter(): void;
  /** The stream's own end was sent before the peer's arrived. */
  protected abstract onSendingEnded(): void;
  /** The peer, or the connection, ended the stream. */
  abstract lose(error: MeshError): void;
  /** The peer sent something that is not HTTP. */
  protected abstract refuse(reason: string): void;
  /** The peer takes next to nothing of what is waiting for it. Returns false if it may take its time. */
  abstract giveUp(): boolean;
  abstract receiveReset(code: number): void;
  /** Whether it was opened so recently that a reset now looks like an attack. */
  abstract readonly isYoung: boolean;

  get canReceive(): boolean {
    return this.state === "open" || this.state === "half-closed-local";
  }

  get canSend(): boolean {
    return (this.state === "open" || this.state === "half-closed-remote") && this.#pendingEnd === undefined;
  }

  // ---- receiving

  protected announce(contentLength: number): void {
    this.#announcedBytes = contentLength;
  }

  /** Counts a DATA frame against the window, padding included. Returns false if it exceeds the window. */
  admitData(length: number): boolean {
    return this.#window.receive(length);
  }

  receiveData(chunk: Buffer): void {
    if (this.#announcedBytes >= 0) {
      if (chunk.length > this.#announcedBytes) return this.refuse("more DATA than content-length");
      this.#announcedBytes -= chunk.length;
    }
    const goOn = this.deliver(chunk);
    if (this.state === "closed") return;
    if (goOn && this.#heldBytes === 0) this.credit(chunk.length);
    else this.#heldBytes += chunk.length;
  }

  /** Octets that nobody has to wait for any more: consumed by the receiver, or padding. */
  credit(bytes: number): void {
    if (!this.canReceive) return;
    const increment = this.#window.consume(bytes);
    if (increment > 0) this.host.sendWindowUpdate(this.id, increment);
  }

  protected resumeReceiving(): void {
    const bytes = this.#heldBytes;
    if (bytes === 0 || this.state === "closed") return;
    this.#heldBytes = 0;
    this.credit(bytes);
  }

  receiveEnd(trailers: HeaderFields | undefined): void {
    if (this.#announcedBytes > 0) return this.refuse("less DATA than content-length");
    this.markReceived();
    this.deliverEnd(trailers);
  }

  /** END_STREAM was received. */
  protected markReceived(): void {
    if (this.state === "open") this.state = "half-closed-remote";
    else if (this.state === "half-closed-local") this.close("ended");
  }

  /**
   * Checks how much of an announced body has arrived since the last check. Returns false if the peer sent less than `minBytes`.
   */
  keepsPace(minBytes: number): boolean {
    const before = this.#announcedBefore;
    const isAwaited = this.canReceive && this.#announcedBytes > 0 && this.#heldBytes === 0;
    this.#announcedBefore = isAwaited ? this.#announcedBytes : -1;
    return !isAwaited || before < 0 || before - this.#announcedBytes >= minBytes;
  }

  // ---- sending

  /** The peer credits the stream. Returns false if the window exceeds 2^31-1. */
  creditSending(bytes: number): boolean {
    this.sendWindowBytes += bytes;
    if (this.sendWindowBytes > largestWindowBytes) return false;
    if (this.#pendingBytes > 0 && this.sendWindowBytes > 0) this.host.scheduler.enqueue(this);
    return true;
  }

  /**
   * Sends body octets; what can't be sent is copied. If nothing is waiting before a chunk, it is sent as far as the windows
   * allow, even into a connection that is congested but not full: copying it would cost more than the room. Returns false if the
   * writer should wait for `resumeWriter`.
   */
  protected send(chunk: Buffer): boolean {
    if (!this.canSend) return true;
    const { scheduler } = this.host;
    const mayBegin = this.#pendingBytes === 0 && !scheduler.isFull;
    let from = 0;
    while (mayBegin && from < chunk.length) {
      const to = Math.min(chunk.length, from + scheduler.allowance(this));
      if (to <= from) break;
      scheduler.send(this, chunk, from, to, false);
      from = to;
    }
    if (from === chunk.length && !scheduler.isCongested) return this.#pendingBytes === 0;
    if (from < chunk.length) {
      this.#pending.push(Buffer.from(chunk.subarray(from)));
      this.#pendingBytes += chunk.length - from;
    }
    this.#writerWaits = true;
    this.#waitForTurn();
    return false;
  }

  /** Ends the sending side, after everything that is waiting. */
  protected sendEnd(trailers: HeaderFields | undefined): void {
    if (!this.canSend) return;
    if (this.#pendingBytes > 0) this.#pendingEnd = { trailers };
    else this.#finish(trailers);
  }

  #finish(trailers: HeaderFields | undefined): void {
    if (trailers !== undefined && trailers.count > 0) this.host.sendHeaders(this.id, noPseudo, trailers, true);
    else this.host.scheduler.end(this);
    this.markSent();
  }

  /** END_STREAM was sent. */
  protected markSent(): void {
    this.#pendingEnd = undefined;
    if (this.state === "half-closed-remote") return this.close("ended");
    if (this.state !== "open") return;
    this.state = "half-closed-local";
    this.onSendingEnded();
  }

  #waitForTurn(): void {
    // A stream whose own window is used up can't wait for a turn: `creditSending` enqueues it.
    if (this.#pendingBytes === 0 || this.sendWindowBytes > 0) this.host.scheduler.enqueue(this);
    this.#stall ??= new StallTimer(this);
    if (this.#stall.slot === undefined) this.#awaitPeer(this.#stall);
  }

  #awaitPeer(stall: StallTimer): void {
    this.#takenBytes = 0;
    this.#sentBefore = this.host.scheduler.sentBytes;
    this.host.timers.arm(stall, this.host.stallTimeoutMs);
  }

  /**
   * Octets have been waiting since the timer was armed. If other streams' octets fill the connection, that is not this stream's
   * fault, nor the reverse.
   */
  judgeStall(stall: StallTimer): void {
    const { minBytesPerStall, scheduler } = this.host;
    const { isCongested, sentBytes } = scheduler;
    if (isCongested && sentBytes === this.#sentBefore) return this.host.destroyStalled();
    const hasNoTurn = isCongested && this.sendWindowBytes > 0;
    const isTooSlow = !hasNoTurn && this.#takenBytes < Math.max(1, minBytesPerStall);
    if (!isTooSlow || !this.giveUp()) this.#awaitPeer(stall);
  }

  takeTurn(): boolean {
    if (this.state === "closed") return false;
    if (this.#pendingBytes > 0) this.#sendPending();
    if (this.#pendingBytes > 0) return this.sendWindowBytes > 0;
    if (this.#stall !== undefined) this.host.timers.clear(this.#stall);
    if (this.#pendingEnd !== undefined) this.#finish(this.#pendingEnd.trailers);
    else if (this.#writerWaits && this.canSend) {
      this.#writerWaits = false;
      this.resumeWriter();
    }
    return false;
  }

  /** Sends one frame of the waiting octets. */
  #sendPending(): void {
    const first = this.#pending[0] as Buffer;
    const length = Math.min(first.length, this.host.scheduler.allowance(this));
    if (length <= 0) return;
    this.#pendingBytes -= length;
    if (length === first.length) this.#pending.shift();
    else this.#pending[0] = first.subarray(length);
    const isLast =
      this.#pendingBytes === 0 && this.#pendingEnd !== undefined && this.#pendingEnd.trailers === undefined;
    this.host.scheduler.send(this, first, 0, length, isLast);
    this.#takenBytes += length;
    if (isLast) this.markSent();
  }

  // ---- the end

  /** Ends the stream with RST_STREAM. */
  reset(error: Http2ErrorName): void {
    if (this.state === "closed") return;
    this.host.sendReset(this.id, error);
    this.close("reset-here");
  }

  protected close(closing: "ended" | "reset-here" | "reset-there"): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#pendingEnd = undefined;
    if (this.#stall !== undefined) this.host.timers.clear(this.#stall);
    this.#window.release();
    this.host.scheduler.forget(this);
    this.host.forget(this, closing);
  }
}

/** Armed while a writer waits, and again as long as the peer takes enough. */
class StallTimer extends Timer {
  readonly #stream: Http2Stream;

  constructor(stream: Http2Stream) {
    super();
    this.#stream = stream;
  }

  expire(): void {
    this.#stream.judgeStall(this);
  }
}
