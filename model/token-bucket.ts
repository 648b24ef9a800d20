/** The token bucket behind rate limits. */

import type { Clock } from "./clock.ts";
import type { TokenRate } from "./policy.ts";

/** Fills evenly, up to its burst; initially full. No timer: new tokens are computed when someone asks. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perToken: number;
  readonly #burst: number;
  #tokens: number;
  #countedAtMs: number;

  constructor(rate: TokenRate, clock: Clock) {
    this.#clock = clock;
    this.#perToken = rate.perMs / rate.requests;
    this.#burst = rate.burst;
    this.#tokens = rate.burst;
    this.#countedAtMs = clock.now();
  }

  /** The number of whole tokens available. */
  get remaining(): number {
    this.#fill();
    return Math.floor(this.#tokens + rounding);
  }

  /** Milliseconds until there is a whole token; 0: there is one now. */
  get nextInMs(): number {
    return this.remaining >= 1 ? 0 : (1 - this.#tokens) * this.#perToken;
  }

  /** Takes a token, if there is one. */
  tryTake(): boolean {
    if (this.remaining < 1) return false;
    this.#tokens--;
    return true;
  }

  #fill(): void {
    const nowMs = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#countedAtMs) / this.#perToken);
    this.#countedAtMs = nowMs;
  }
}

/** Tolerates the rounding of binary fractions: a token that falls short only by that is a whole one. */
const rounding = 1e-9;
