/** The machine behind rate limits. */

import type { Clock } from "./clock.ts";
import type { TokenRate } from "./policy.ts";

/** Fills evenly, up to its burst; full at first. No timer: what has come in is reckoned when someone asks. */
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

  /** Whole tokens that are there. */
  get remaining(): number {
    this.#fill();
    return Math.floor(this.#tokens + rounding);
  }

  /** How long until there is one; 0: there is. */
  get nextInMs(): number {
    return this.remaining >= 1 ? 0 : (1 - this.#tokens) * this.#perToken;
  }

  /** Takes one if there is one. */
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

/** A token that is short of a whole one only by binary fractions is one. */
const rounding = 1e-9;
