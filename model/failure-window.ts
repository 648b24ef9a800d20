/** Counts failures for a circuit breaker, and knows nothing of its states. */

import type { CircuitBreakerPolicy } from "./policy.ts";

/**
 * Keeps the times of the last `failureThreshold` failures: the threshold is reached if the oldest of them is still within the
 * window. Exact, and without a timer.
 */
export class FailureWindow {
  readonly #threshold: number;
  readonly #windowMs: number;
  readonly #consecutive: boolean;
  /** A ring; made at the first failure, which most endpoints never have. */
  #failedAtMs: Float64Array | undefined;
  #failures = 0;

  constructor(policy: Pick<CircuitBreakerPolicy, "failureThreshold" | "failureWindowMs" | "count">) {
    this.#threshold = policy.failureThreshold;
    this.#windowMs = policy.failureWindowMs;
    this.#consecutive = policy.count === "consecutive";
  }

  recordSuccess(): void {
    if (this.#consecutive) this.#failures = 0;
  }

  /** Returns true if this failure reached the threshold. */
  recordFailure(nowMs: number): boolean {
    this.#failedAtMs ??= new Float64Array(this.#threshold);
    this.#failedAtMs[this.#failures++ % this.#threshold] = nowMs;
    if (this.#failures < this.#threshold) return false;
    const oldestMs = this.#failedAtMs[this.#failures % this.#threshold] ?? nowMs;
    return nowMs - oldestMs <= this.#windowMs;
  }
}
