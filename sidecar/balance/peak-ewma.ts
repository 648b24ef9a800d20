/**
 * How loaded an endpoint is: the latency of its answers, averaged so that a rise counts at once and a fall slowly,
 * times the requests under way. After Finagle's peak EWMA, as linkerd2-proxy uses it.
 */

import type { Clock } from "../../model/clock.ts";

const decayMs = 10_000;
/** What an endpoint is taken for between its first request and the answer to it, so that it is tried, but not flooded. */
const presumedLatencyMs = 30;
/** A failure often comes faster than an answer; its latency must not make the endpoint look good. */
const failurePenaltyMs = 500;

export class PeakEwma {
  readonly #clock: Clock;
  /** As of the last observation; NaN before the first: V8 keeps a field that is always a number in place. */
  #latencyMs = Number.NaN;
  #updatedMs: number;
  #pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedMs = clock.now();
  }

  get pending(): number {
    return this.#pending;
  }

  /**
   * The price of one more request: lower is better. What is not asked forgets its latency, or nobody would ever ask again
   * an endpoint that was slow once; and one that was never asked is asked next.
   */
  get cost(): number {
    if (Number.isNaN(this.#latencyMs)) return presumedLatencyMs * this.#pending;
    return this.#latencyMs * this.#weight() * (this.#pending + 1);
  }

  begin(): void {
    this.#pending++;
  }

  /** The head of an answer came, or `failed` instead of it. */
  observe(latencyMs: number, failed: boolean): void {
    const observedMs = failed ? Math.max(latencyMs, failurePenaltyMs) : latencyMs;
    const weight = this.#weight();
    const leftMs = this.#latencyMs * weight;
    // So for NaN too: the first is the peak.
    this.#latencyMs = observedMs < leftMs ? leftMs + observedMs * (1 - weight) : observedMs;
    this.#updatedMs = this.#clock.now();
  }

  /** Nobody waited for the head any more after `latencyMs`: it would have taken at least as long. */
  observeAtLeast(latencyMs: number): void {
    if (!(latencyMs < this.#latencyMs * this.#weight())) this.observe(latencyMs, false);
  }

  end(): void {
    this.#pending--;
  }

  /** What is left of the last observation by now, 0 to 1. */
  #weight(): number {
    return Math.exp((this.#updatedMs - this.#clock.now()) / decayMs);
  }
}
