/**
 * What an HTTP/1 server connection waits for, and for how long. One timer serves all of it, armed at most once per request. It
 * judges; what a verdict does to the connection is up to the connection.
 *
 * ```
 *   request ⇄ head, progress          request ──▶ lingers    head ──▶ 408    progress ──▶ 408, or cut
 * ```
 */

import type { ErrorCode } from "../../model/errors.ts";
import type { Outbox } from "../net/outbox.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { Refusal } from "./limits.ts";
import type { Departure } from "./server-exchange.ts";

/** `Infinity` for a timeout turns it off. */
export interface Http1Patience {
  /** How long a head may take from its first byte to its last; 408. Default 10 s. */
  readonly headTimeoutMs?: number;
  /**
   * How long a request body may stall (408), or the client may take no byte of a response (cut). Noticed within twice this time.
   * Default 60 s.
   */
  readonly stallTimeoutMs?: number;
  /**
   * The least that a client must send of a body whose length it announced (408), or take of a response that waits for it (cut),
   * on average over `stallTimeoutMs`. A body without a length may be a conversation, so only that timeout applies to it. 0: off.
   * Default 100.
   */
  readonly minBytesPerSecond?: number;
  /** How long a connection may be without a request. Default 10 min. */
  readonly idleTimeoutMs?: number;
  /** How long the client may take to close once the kernel has our last byte. Default 2 s. */
  readonly lingerTimeoutMs?: number;
}

/** What the current request has still to send; `nothing` also while the client is asked to wait. */
export type AwaitedOfRequest = "nothing" | "body" | "body-of-known-length" | "tunnel";

/** The connection's state on which a verdict is based, and the calls that carry the verdict out. */
export interface AwaitedConnection {
  readonly outbox: Outbox;
  readonly departure: Departure;
  readonly isLingering: boolean;
  readonly awaitedOfRequest: AwaitedOfRequest;
  /** Whether the client is gone: nobody is told while reading is paused. */
  readonly isLost: boolean;
  /** Closes the connection after what is still to be written. */
  linger(): void;
  refuse(refusal: Refusal): void;
  destroy(): void;
}

/** How long a connection that is about to close waits for a request that may be on its way. */
const restBeforeLeavingMs = 1_000;

type Awaited = "request" | "head" | "progress";

export class ServerPatience extends Timer {
  readonly #connection: AwaitedConnection;
  readonly #timers: TimerWheel;
  readonly #options: Http1Patience & { readonly onRefused?: (code: ErrorCode, detail: string) => void };
  #awaited: Awaited = "request";
  /** When the awaited step is overdue. The timer is armed for then or sooner, because each request waits for several things. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #armedAtMs = Number.POSITIVE_INFINITY;
  /** How many bytes were read from the socket, and how many of them before progress was last awaited. */
  #bytesRead = 0;
  #bytesReadBefore = 0;
  #bytesTakenBefore = 0;
  #unsentBefore = false;
  #longestPauseMs: number | undefined;

  constructor(
    connection: AwaitedConnection,
    timers: TimerWheel,
    options: Http1Patience & { readonly onRefused?: (code: ErrorCode, detail: string) => void },
  ) {
    super();
    this.#connection = connection;
    this.#timers = timers;
    this.#options = options;
  }

  noteRead(bytes: number): void {
    this.#bytesRead += bytes;
  }

  /** Starts the timeout for the next step. If a head is already awaited, its time goes on. */
  waitFor(what: Awaited): void {
    if (what === "head" && this.#awaited === "head") return;
    this.#awaited = what;
    this.#arm(this.#timeoutMs(what));
    if (what !== "progress") return;
    const { outbox } = this.#connection;
    this.#bytesReadBefore = this.#bytesRead;
    this.#bytesTakenBefore = outbox.takenBytes;
    this.#unsentBefore = outbox.unsentBytes > 0;
  }

  /** From now on replaces `stallTimeoutMs` and `minBytesPerSecond`: the client may take nothing for this long, and then a byte will do. */
  allowPauses(longestMs: number): void {
    this.#longestPauseMs = longestMs;
    this.beginAnew();
  }

  /** The client may send again, and gets the full time. */
  beginAnew(): void {
    if (this.#awaited === "progress") this.waitFor("progress");
  }

  stop(): void {
    this.#timers.clear(this);
  }

  expire(): void {
    this.#armedAtMs = Number.POSITIVE_INFINITY;
    const restMs = this.#dueAtMs - this.#timers.now();
    if (restMs > 0) return this.#arm(restMs);
    switch (this.#awaited) {
      case "request":
        return this.#connection.linger();
      case "head":
        return this.#connection.refuse(new Refusal("request_too_slow", "head not complete in time"));
      case "progress":
        return this.#judgeProgress();
    }
  }

  #arm(timeoutMs: number): void {
    this.#dueAtMs = this.#timers.now() + timeoutMs;
    if (this.#armedAtMs <= this.#dueAtMs) return;
    this.#armedAtMs = this.#dueAtMs;
    this.#timers.arm(this, timeoutMs);
  }

  #timeoutMs(what: Awaited): number {
    const { departure, isLingering, outbox } = this.#connection;
    const options = this.#options;
    switch (what) {
      case "request": {
        const idleMs = options.idleTimeoutMs ?? 600_000;
        return departure === "none" ? idleMs : Math.min(idleMs, restBeforeLeavingMs);
      }
      case "head":
        return options.headTimeoutMs ?? 10_000;
      case "progress":
        if (isLingering && outbox.unsentBytes === 0) return options.lingerTimeoutMs ?? 2_000;
        return this.#longestPauseMs ?? options.stallTimeoutMs ?? 60_000;
    }
  }

  #judgeProgress(): void {
    const { outbox, isLingering, awaitedOfRequest } = this.#connection;
    const received = this.#bytesRead - this.#bytesReadBefore;
    // What it left unread is still read to its end, as long as somebody takes it.
    if (received === 0 && this.#connection.isLost) return this.#connection.destroy();
    if (awaitedOfRequest === "tunnel") return this.waitFor("progress"); // both ends may be silent
    const isUnsent = outbox.unsentBytes > 0;
    if (isLingering && !isUnsent) return this.#connection.destroy();
    const options = this.#options;
    const minPerSecond = this.#longestPauseMs === undefined ? (options.minBytesPerSecond ?? 100) : 0;
    const least = Math.max(1, (minPerSecond * this.#timeoutMs("progress")) / 1_000);
    const taken = outbox.takenBytes - this.#bytesTakenBefore;
    if (isUnsent && taken < (this.#unsentBefore ? least : 1)) {
      options.onRefused?.("answer_not_taken", `${taken} bytes of an answer taken in time`);
      return this.#connection.destroy();
    }
    const isStalled = received < (awaitedOfRequest === "body-of-known-length" ? least : 1);
    if (awaitedOfRequest !== "nothing" && isStalled && !isUnsent)
      return this.#connection.refuse(new Refusal("request_too_slow", "body not sent in time"));
    this.waitFor("progress");
  }
}
