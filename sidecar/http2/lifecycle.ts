/**
 * The life of an HTTP/2 connection, either end: its socket, its timeouts, its streams, and its death. Frames are
 * `connection.ts`.
 *
 * Whatever ends it, every stream is told once, `onClosed` comes once, and nothing is thrown.
 */

import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { Deadline } from "../net/deadline.ts";
import { Outbox } from "../net/outbox.ts";
import { receiveFrom } from "../net/shared-reads.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { ClosedStreams, type Closing } from "./closed-streams.ts";
import { FloodGuard } from "./flood-guard.ts";
import { errorCode, type Http2ErrorName, writeGoaway, writePing } from "./frames.ts";
import { KeepAlive } from "./keep-alive.ts";
import { type Http2Limits, type Http2Options, resolveLimits } from "./options.ts";
import { SendScheduler } from "./send-scheduler.ts";
import type { Http2Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/**
 * ```
 *   opening ──SETTINGS received──▶ open ──GOAWAY sent or received──▶ draining ──last stream ended──▶ closing ──▶ closed
 *      └──────────────────────┴── error: GOAWAY sent ─────────────────────┴──────────────────────────▶ closing
 *   any ── socket closed ──▶ closed
 * ```
 * `opening`: nothing received yet; `draining`: no new streams; `closing`: everything is written, nothing is read.
 */
export type ConnectionState = "opening" | "open" | "draining" | "closing" | "closed";

/** How long the peer may take to close its end after our last octet, in ms. */
const lingerMs = 1000;

export abstract class ConnectionLifecycle {
  state: ConnectionState = "opening";
  /** Called once, when the socket is gone. */
  onClosed: ((error: Error | undefined) => void) | undefined;
  /** How many streams were opened since the connection began. */
  openedStreams = 0;
  readonly scheduler: SendScheduler;
  readonly timers: TimerWheel;
  readonly clock: Clock;

  protected readonly outbox: Outbox;
  protected readonly limits: Http2Limits;
  protected readonly streams = new StreamTable();
  protected readonly closedStreams = new ClosedStreams();
  protected readonly guard: FloodGuard;
  protected readonly keepAlive: KeepAlive | undefined;
  /** The code of a `MeshError` for streams that end because of the peer or the connection. */
  protected abstract readonly codeOfLoss: ErrorCode;
  /** The highest stream that the peer opened. */
  protected abstract readonly lastPeerStreamId: number;
  readonly #socket: Socket;
  /** Armed while there is no stream: first for the peer's SETTINGS, then for the idle timeout. */
  readonly #idle: Deadline;
  #error: Error | undefined;

  constructor(socket: Socket, options: Http2Options) {
    const limits = resolveLimits(options);
    this.#socket = socket;
    this.limits = limits;
    this.timers = options.timers;
    this.clock = options.clock;
    this.outbox = new Outbox(socket, () => this.onDrained());
    this.guard = new FloodGuard(limits.floods, options.clock);
    this.scheduler = new SendScheduler(this.outbox, this.guard);
    this.#idle = new Deadline(() => this.#expireIdle());
    this.timers.arm(this.#idle, limits.handshakeTimeoutMs);
    if (limits.keepAlive !== undefined) this.keepAlive = new KeepAlive(limits.keepAlive, this);
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    receiveFrom(socket, (chunk) => this.receive(chunk));
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    // The peer sends nothing more, so nothing that is open can be completed.
    socket.on("end", () => this.destroy());
    socket.on("close", () => this.#afterClose());
    // Events of a socket that was handed over too late won't come again; the owner has not set `onClosed` yet.
    if (socket.readableEnded || socket.closed) process.nextTick(() => this.#endLate());
  }

  #endLate(): void {
    this.destroy();
    if (this.#socket.closed) this.#afterClose();
  }

  protected abstract receive(chunk: Buffer): void;

  /** The outbox was congested, and the kernel has taken everything. */
  protected onDrained(): void {
    this.scheduler.pump();
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get isAtRest(): boolean {
    return this.streams.size === 0;
  }

  /** True if no more frames are wanted. */
  get isFailed(): boolean {
    return this.state === "closing" || this.state === "closed";
  }

  sendPing(opaque: Buffer): void {
    writePing(this.outbox, opaque, false);
  }

  // ---- streams

  protected admit(stream: Http2Stream): void {
    if (this.streams.size === 0 && this.state !== "opening") this.timers.clear(this.#idle);
    this.streams.add(stream);
    this.openedStreams++;
  }

  forget(stream: Http2Stream, closing: Closing): void {
    this.streams.delete(stream.id);
    if (closing !== "reset-here") this.closedStreams.note(stream.id, closing);
    if (closing === "ended") this.guard.noteCompletion();
    if (this.streams.size === 0) this.#awaitStreams();
    this.onStreamClosed();
  }

  protected onStreamClosed(): void {
    this.finishIfIdle();
  }

  // ---- opening, idleness, the end

  /** The peer's first SETTINGS arrived. */
  protected open(): void {
    this.state = "open";
    this.timers.clear(this.#idle);
    if (this.streams.size === 0) this.#awaitStreams();
  }

  #awaitStreams(): void {
    if (this.state === "open" || this.state === "draining") this.timers.arm(this.#idle, this.limits.idleTimeoutMs);
  }

  #expireIdle(): void {
    if (this.state === "opening") this.fail("SETTINGS_TIMEOUT", "no SETTINGS in time");
    else this.drain();
  }

  /** No new streams; running ones finish, and then the connection ends. */
  abstract drain(): void;

  protected finishIfIdle(): void {
    if (this.state === "draining" && this.streams.size === 0) this.finish("NO_ERROR", "");
  }

  /** A connection error of the peer (RFC 9113 §5.4.1): sends GOAWAY and ends the connection. */
  fail(error: Http2ErrorName, reason: string): void {
    if (this.isFailed) return;
    this.#error = new Error(`HTTP/2 ${error}: ${reason}`);
    this.finish(error, reason);
  }

  /** Sends GOAWAY and closes; streams that are still open are lost. */
  protected finish(error: Http2ErrorName, reason: string): void {
    if (this.isFailed) return;
    writeGoaway(this.outbox, this.lastPeerStreamId, errorCode[error], reason);
    this.stopTimers();
    this.state = "closing";
    // Flush first, then tell the streams: a request that goes out now may be processed.
    this.outbox.flush();
    this.#loseStreams(`the connection ended: ${error}, ${reason}`);
    this.#socket.end();
    this.#linger(error === "NO_ERROR" ? this.limits.stallTimeoutMs : lingerMs);
  }

  /** Waits until the peer has read the last octets, as long as it keeps reading, and has closed; then closes our side. */
  #linger(patienceMs: number): void {
    let unsentBytes = this.outbox.unsentBytes;
    let stalledMs = 0;
    const deadline = new Deadline(() => {
      const progressed = this.outbox.unsentBytes < unsentBytes;
      unsentBytes = this.outbox.unsentBytes;
      stalledMs = progressed ? 0 : stalledMs + lingerMs;
      if (this.state === "closed") return;
      if (stalledMs >= (unsentBytes > 0 ? patienceMs : lingerMs)) this.#socket.destroy();
      else this.timers.arm(deadline, lingerMs);
    });
    this.timers.arm(deadline, lingerMs);
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    if (this.state === "closed") return;
    this.#error ??= error;
    this.stopTimers();
    this.state = "closing";
    this.#socket.destroy();
    this.#loseStreams(error?.message ?? "the connection was closed");
  }

  destroyStalled(): void {
    this.destroy(new Error("the peer takes no more octets"));
  }

  #afterClose(): void {
    if (this.state === "closed") return;
    this.#loseStreams(this.#error?.message ?? "the connection was closed");
    this.state = "closed";
    this.stopTimers();
    this.onClosed?.(this.#error);
  }

  #loseStreams(reason: string): void {
    if (this.streams.size === 0) return;
    const error = new MeshError(this.codeOfLoss, reason, this.#error === undefined ? {} : { cause: this.#error });
    for (const stream of this.streams.values()) stream.lose(error);
  }

  protected stopTimers(): void {
    this.timers.clear(this.#idle);
    this.keepAlive?.stop();
  }
}
