/**
 * Bounds the extra load that retries put on a destination: a share of the first tries, plus a floor for quiet times.
 * One per sidecar and destination, shared by all its requests.
 */

import type { Clock } from "./clock.ts";
import type { RetryBudgetPolicy } from "./policy.ts";

const buckets = 10;

/**
 * A sliding window in ten buckets. Within each window: retries ≤ `percent` of the first tries + `minRetriesPerSecond` × its
 * seconds. So retries are limited over any period.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #share: number;
  readonly #floor: number;
  readonly #bucketMs: number;
  readonly #firstTries = new Float64Array(buckets);
  readonly #retries = new Float64Array(buckets);
  #firstTriesInWindow = 0;
  #retriesInWindow = 0;
  /** The number of the newest bucket, counted from the clock's start. */
  #newest: number;

  constructor(policy: RetryBudgetPolicy, clock: Clock) {
    this.#clock = clock;
    this.#share = policy.percent / 100;
    this.#floor = (policy.minRetriesPerSecond * policy.windowMs) / 1000;
    this.#bucketMs = policy.windowMs / buckets;
    this.#newest = Math.floor(clock.now() / this.#bucketMs);
  }

  recordFirstTry(): void {
    const bucket = this.#slide();
    this.#firstTries[bucket] = (this.#firstTries[bucket] ?? 0) + 1;
    this.#firstTriesInWindow++;
  }

  /** Returns true if the budget pays for the retry, which must then be made. */
  tryWithdraw(): boolean {
    const bucket = this.#slide();
    if (this.#retriesInWindow + 1 > this.#share * this.#firstTriesInWindow + this.#floor) return false;
    this.#retries[bucket] = (this.#retries[bucket] ?? 0) + 1;
    this.#retriesInWindow++;
    return true;
  }

  /** Retries allowed within the current window, and how many of them are left. */
  get standing(): { readonly allowed: number; readonly remaining: number } {
    this.#slide();
    const allowed = Math.floor(this.#share * this.#firstTriesInWindow + this.#floor);
    return { allowed, remaining: Math.max(0, allowed - this.#retriesInWindow) };
  }

  /** Empties the buckets that have expired, and returns the index of the newest. */
  #slide(): number {
    const now = Math.floor(this.#clock.now() / this.#bucketMs);
    const from = Math.max(this.#newest + 1, now - buckets + 1);
    for (let number = from; number <= now; number++) {
      const bucket = number % buckets;
      this.#firstTriesInWindow -= this.#firstTries[bucket] ?? 0;
      this.#retriesInWindow -= this.#retries[bucket] ?? 0;
      this.#firstTries[bucket] = 0;
      this.#retries[bucket] = 0;
    }
    this.#newest = now;
    return now % buckets;
  }
}
