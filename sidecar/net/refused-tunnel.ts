/**
 * The rest of an answer that refuses a tunnel: nobody is there to read it, but how it ends says why, and is counted. It is
 * heard for so many bytes and for so long; who sends more of it, or never ends it, is given up.
 */

import { Timer, type TimerWheel } from "./timer-wheel.ts";

const mostBytes = 64 * 1024;
const patienceMs = 10_000;

export class RefusedTunnel extends Timer {
  /** More of the answer is waited for. */
  isOpen = true;
  readonly #wheel: TimerWheel;
  readonly #over: () => void;
  #bytes = 0;

  /** `over` is called once: the answer has ended, or is given up. */
  constructor(wheel: TimerWheel, over: () => void) {
    super();
    this.#wheel = wheel;
    this.#over = over;
    wheel.arm(this, patienceMs);
  }

  write(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > mostBytes) this.end();
  }

  end(): void {
    if (!this.isOpen) return;
    this.#stop();
    this.#over();
  }

  /** It broke off: whoever sent it knows. */
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
