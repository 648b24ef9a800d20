/**
 * The rest of a response that refuses a tunnel. Nobody reads it, but how it ends says why and is counted. It is received
 * up to a size and for a time; if there is more, or it never ends, it is abandoned.
 */

import { Timer, type TimerWheel } from "./timer-wheel.ts";

const maxBytes = 64 * 1024;
const patienceMs = 10_000;

export class RefusedTunnel extends Timer {
  /** Whether more of the response is awaited. */
  isOpen = true;
  readonly #wheel: TimerWheel;
  readonly #over: () => void;
  #bytes = 0;

  /** `over` is called once: the response has ended, or was abandoned. */
  constructor(wheel: TimerWheel, over: () => void) {
    super();
    this.#wheel = wheel;
    this.#over = over;
    wheel.arm(this, patienceMs);
  }

  write(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > maxBytes) this.end();
  }

  end(): void {
    if (!this.isOpen) return;
    this.#stop();
    this.#over();
  }

  /** The response broke off; whoever aborted it knows. */
  abort(): void {
    if (this.isOpen) this.#stop();
  }

  expire(): void {
    this.end();
  }

  #stop(): void {
    this.isOpen = false;
    this.#wheel.clear(this);
  }
}
