/**
 * Finds out that a peer is gone while nothing is sent (RFC 9113 §6.7): after a time of silence a PING, and if nothing
 * at all comes after that, the end. Any frame is a sign of life.
 */

import type { TimerWheel } from "../net/timer-wheel.ts";
import { Deadline } from "./deadline.ts";

export interface KeepAliveOptions {
  /** Silence after which a PING is sent. */
  readonly intervalMs: number;
  /** How long it may take until anything comes back. */
  readonly timeoutMs: number;
}

export interface KeepAliveHost {
  readonly timers: TimerWheel;
  sendPing(opaque: Buffer): void;
  destroy(error?: Error): void;
}

const opaque = Buffer.from("tulle ka", "latin1");

/**
 * ```
 *   listening ──silence──▶ asking ──silence──▶ the connection is destroyed
 *       ▲────── a frame ──────┘
 * ```
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #host: KeepAliveHost;
  readonly #timer: Deadline;
  #state: "listening" | "asking" = "listening";
  #heard = false;

  constructor(options: KeepAliveOptions, host: KeepAliveHost) {
    this.#options = options;
    this.#host = host;
    this.#timer = new Deadline(() => this.#expire());
    host.timers.arm(this.#timer, options.intervalMs);
  }

  /** Hot: a frame costs one assignment, the timer looks at it when it expires. */
  noteReceived(): void {
    this.#heard = true;
  }

  stop(): void {
    this.#host.timers.clear(this.#timer);
  }

  #expire(): void {
    const { timers } = this.#host;
    if (this.#heard) {
      this.#heard = false;
      this.#state = "listening";
      return timers.arm(this.#timer, this.#options.intervalMs);
    }
    if (this.#state === "asking") return this.#host.destroy(new Error("the peer does not answer a PING"));
    this.#state = "asking";
    this.#host.sendPing(opaque);
    timers.arm(this.#timer, this.#options.timeoutMs);
  }
}
