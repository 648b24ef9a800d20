/**
 * Detects peers that cause work without useful content: resets, pings, settings, empty frames (CVE-2019-9511 to -9518,
 * rapid reset CVE-2023-44487, MadeYouReset CVE-2025-8671). Useful frames earn credit for what is normal.
 */

import type { Clock } from "../../model/clock.ts";

/** A bucket of tokens that is refilled by time and by useful work. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(capacity: number, perSecond: number, clock: Clock) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#tokens = capacity;
    this.#filledAtMs = clock.now();
  }

  /** Puts tokens back for useful work. */
  refund(tokens: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + tokens);
  }

  /** Returns false if the bucket is empty. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #fill(): void {
    const now = this.#clock.now();
    this.refund(((now - this.#filledAtMs) / 1000) * this.#perSecond);
    this.#filledAtMs = now;
  }
}

/** How much is too much. Each bucket has a burst and a rate; useful work puts tokens back too. */
export interface FloodLimits {
  /** Streams that the client resets early, or that we must reset because it broke the rules. Default 500 and 50/s. */
  readonly resets?: number;
  readonly resetsPerSecond?: number;
  /**
   * Frames without content: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown frames, and heads that are refused
   * unread. Default 2,000 and 200/s.
   */
  readonly emptyFrames?: number;
  readonly emptyFramesPerSecond?: number;
}

export class FloodGuard {
  readonly #resets: TokenBucket;
  readonly #emptyFrames: TokenBucket;

  constructor(limits: FloodLimits, clock: Clock) {
    this.#resets = new TokenBucket(limits.resets ?? 500, limits.resetsPerSecond ?? 50, clock);
    this.#emptyFrames = new TokenBucket(limits.emptyFrames ?? 2000, limits.emptyFramesPerSecond ?? 200, clock);
  }

  /** Counts a stream that was reset the way an attacker would do it. Returns false if it is a flood. */
  admitReset(): boolean {
    return this.#resets.take();
  }

  /** Counts a frame without content. Returns false if it is a flood. */
  admitEmptyFrame(): boolean {
    return this.#emptyFrames.take();
  }

  /**
   * A stream ended normally. One cancellation per completed stream is normal, and some clients open each with a WINDOW_UPDATE.
   */
  noteCompletion(): void {
    this.#resets.refund(1);
    this.#emptyFrames.refund(4);
  }

  /** DATA was sent or received: an honest peer answers each frame with at most two WINDOW_UPDATE and a PING. */
  noteData(): void {
    this.#emptyFrames.refund(4);
  }
}
