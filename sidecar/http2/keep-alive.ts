/**
 * Detects that a peer is gone while nothing is sent (RFC 9113 §6.7): after a period of silence it sends a PING, and if
 * nothing at all arrives after that, ends the connection. Any frame is a sign of life.
 */

import { Deadline } from "../net/deadline.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

export interface KeepAliveOptions {
  /** The silence after which a PING is sent; detected up to a quarter of it late. */
  readonly intervalMs: number;
  /** How long the peer may take to send anything after that. */
  readonly timeoutMs: number;
}

export interface KeepAliveHost {
  readonly timers: TimerWheel;
  sendPing(opaque: Buffer): void;
  destroy(error?: Error): void;
}

const opaque = Buffer.from("tulle ka", "latin1");

/** Checks for silence this many times per interval: cheaper than reading the clock per frame, and precise enough. */
const looksPerInterval = 4;

/**
 * ```
 *   listening ──silence──▶ asking ──silence──▶ the connection is destroyed
 *       ▲────── a frame ──────┘
 * ```
 */
type State = { readonly kind: "listening"; silentLooks: number } | { readonly kind: "asking" };

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #host: KeepAliveHost;
  readonly #timer: Deadline;
  #state: State = { kind: "listening", silentLooks: 0 };
  #heard = false;

  constructor(options: KeepAliveOptions, host: KeepAliveHost) {
    this.#options = options;
    this.#host = host;
    this.#timer = new Deadline(() => this.#look());
    this.#listen();
  }

  /** Hot: a frame costs one assignment. */
  noteReceived(): void {
    this.#heard = true;
  }

  stop(): void {
    this.#host.timers.clear(this.#timer);
  }

  #listen(): void {
    this.#host.timers.arm(this.#timer, this.#options.intervalMs / looksPerInterval);
  }

  #look(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#state = { kind: "listening", silentLooks: 0 };
    } else if (this.#state.kind === "asking") {
      return this.#host.destroy(new Error("the peer does not answer a PING"));
    } else if (++this.#state.silentLooks === looksPerInterval) {
      this.#state = { kind: "asking" };
      this.#host.sendPing(opaque);
      return this.#host.timers.arm(this.#timer, this.#options.timeoutMs);
    }
    this.#listen();
  }
}
