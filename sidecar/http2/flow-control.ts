/**
 * Receive windows (RFC 9113 §5.2, §6.9): how many octets the peer may still send, and when it is told of more.
 *
 * The connection's window is credited on receipt: one slow stream must not stop the others. A stream's is credited when
 * its receiver took the octets, so a stalled reader holds no more than the stream's own window. That window starts
 * small and doubles while the stream is really fast, out of a budget that the whole process shares.
 */

import type { Clock } from "../../model/clock.ts";

/** How many bytes all streams of the process together may add to their initial windows. */
export class WindowBudget {
  readonly limitBytes: number;
  #takenBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  take(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.limitBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#takenBytes -= bytes;
  }
}

/** A connection's receive window. */
export class ConnectionWindow {
  readonly #sizeBytes: number;
  #leftBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#leftBytes = sizeBytes;
  }

  /** Returns false if the peer sent more than it was allowed. */
  receive(bytes: number): boolean {
    this.#leftBytes -= bytes;
    return this.#leftBytes >= 0;
  }

  /** Returns the increment to announce now, or 0: it announces in steps of at least a quarter of the window. */
  takeCredit(): number {
    const credit = this.#sizeBytes - this.#leftBytes;
    if (credit * 4 < this.#sizeBytes) return 0;
    this.#leftBytes = this.#sizeBytes;
    return credit;
  }
}

export interface StreamWindowLimits {
  /** The initial window of a stream: SETTINGS_INITIAL_WINDOW_SIZE. */
  readonly initialBytes: number;
  readonly maxBytes: number;
}

/** If a window is used up faster than this, it is what slows the stream down: 64 KiB in 250 ms are 256 KiB/s. */
const fastWindowMs = 250;

/** A stream's receive window. */
export class StreamWindow {
  readonly #limits: StreamWindowLimits;
  readonly #budget: WindowBudget;
  readonly #clock: Clock;
  #sizeBytes: number;
  #leftBytes: number;
  #creditBytes = 0;
  /** When credit was last announced; NaN before the first time, so that no comparison holds. */
  #announcedAtMs = Number.NaN;

  constructor(limits: StreamWindowLimits, budget: WindowBudget, clock: Clock) {
    this.#limits = limits;
    this.#budget = budget;
    this.#clock = clock;
    this.#sizeBytes = limits.initialBytes;
    this.#leftBytes = limits.initialBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Returns false if the peer sent more than it was allowed. */
  receive(bytes: number): boolean {
    this.#leftBytes -= bytes;
    return this.#leftBytes >= 0;
  }

  /** The receiver has consumed `bytes`. Returns the increment to announce now, or 0. */
  consume(bytes: number): number {
    this.#creditBytes += bytes;
    if (this.#creditBytes * 2 < this.#sizeBytes) return 0;
    const now = this.#clock.now();
    // Half a window has been consumed since the last announcement.
    if (now - this.#announcedAtMs < fastWindowMs / 2) this.#grow();
    this.#announcedAtMs = now;
    const increment = this.#creditBytes;
    this.#leftBytes += increment;
    this.#creditBytes = 0;
    return increment;
  }

  #grow(): void {
    const bytes = Math.min(this.#sizeBytes, this.#limits.maxBytes - this.#sizeBytes);
    if (bytes <= 0 || !this.#budget.take(bytes)) return;
    this.#sizeBytes += bytes;
    this.#creditBytes += bytes;
  }

  /** Returns to the budget what the stream took from it. */
  release(): void {
    this.#budget.give(this.#sizeBytes - this.#limits.initialBytes);
    this.#sizeBytes = this.#limits.initialBytes;
  }
}
