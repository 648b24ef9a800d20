/**
 * What an HTTP/1 server connection waits for, and for how long: one timer for all of it, armed anew by each request at most. It
 * judges; what a verdict does to the connection is the connection's own.
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
  /** From the first byte of a head to its last; 408. Default 10 s. */
  readonly headTimeoutMs?: number;
  /** A request body without a byte (408), or an answer of which the client takes no byte (cut). Seen within twice this time. Default 60 s. */
  readonly stallTimeoutMs?: number;
  /**
   * The least that a client sends of a body whose length it gave (408), or takes of an answer that waits for it (cut), on
   * average over `stallTimeoutMs`. A body without a length may be a conversation, and is held to that timeout alone. 0: off.
   * Default 100.
   */
  readonly minBytesPerSecond?: number;
  /** A connection without a request. Default 10 min. */
  readonly idleTimeoutMs?: number;
  /** How long the client may take to close once the kernel has our last byte. Default 2 s. */
  readonly lingerTimeoutMs?: number;
}

/** What the request that runs has still to send; `nothing` also while it is asked to wait. */
export type AwaitedOfRequest = "nothing" | "body" | "body-of-known-length" | "tunnel";

/** What is looked at, and what a verdict asks for. */
export interface AwaitedConnection {
  readonly outbox: Outbox;
  readonly departure: Departure;
  readonly isLingering: boolean;
  readonly awaitedOfRequest: AwaitedOfRequest;
  /** The client is gone, which nobody hears of who is not reading. */
  readonly isLost: boolean;
  /** Closes, after what is still to be said. */
  linger(): void;
  refuse(refusal: Refusal): void;
  destroy(): void;
}

/** How long a connection that is to end waits for a request that may be on its way. */
const restBeforeLeavingMs = 1_000;

type Awaited = "request" | "head" | "progress";

export class ServerPatience extends Timer {
  readonly #connection: AwaitedConnection;
  readonly #timers: TimerWheel;
  readonly #options: Http1Patience & { readonly onRefused?: (code: ErrorCode, detail: string) => void };
  #awaited: Awaited = "request";
  /** When that has taken too long. The timer is armed for then, or sooner: each request awaits several things. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #armedAtMs = Number.POSITIVE_INFINITY;
  /** Bytes read from the socket, and what they were when progress was last awaited. */
  #bytesRead = 0;
  #bytesReadBefore = 0;
  #bytesTakenBefore = 0;
  #unsentBefore = false;

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

  /** Starts the timeout of what has to come next. A head that is awaited has its time already. */
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

  /** The client may send again: it is given its time anew. */
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
        return options.stallTimeoutMs ?? 60_000;
    }
  }

  #judgeProgress(): void {
    const { outbox, isLingering, awaitedOfRequest } = this.#connection;
    const received = this.#bytesRead - this.#bytesReadBefore;
    // What it left is read to its end, as long as somebody takes it.
    if (received === 0 && this.#connection.isLost) return this.#connection.destroy();
    if (awaitedOfRequest === "tunnel") return this.waitFor("progress"); // its ends may rest
    const isUnsent = outbox.unsentBytes > 0;
    if (isLingering && !isUnsent) return this.#connection.destroy();
    const options = this.#options;
    const least = Math.max(1, ((options.minBytesPerSecond ?? 100) * this.#timeoutMs("progress")) / 1_000);
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
