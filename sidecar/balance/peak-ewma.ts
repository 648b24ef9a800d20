/**
 * How loaded an endpoint is: the latency of its responses, averaged so that a rise counts at once and a fall slowly, times the
 * requests in progress. After Finagle's peak EWMA, as linkerd2-proxy uses it.
 */

import type { Clock } from "../../model/clock.ts";

const decayMs = 10_000;
/** The latency assumed between an endpoint's first request and its response, so that it is tried but not flooded. */
const presumedLatencyMs = 30;
/** The least latency counted for a failure, which often comes faster than a response and must not make the endpoint look good. */
const failurePenaltyMs = 500;

export class PeakEwma {
  readonly #clock: Clock;
  /** At the last observation; NaN before the first, because V8 stores a field that is always a number in place. */
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
   * The cost of one more request: lower is better. An endpoint without requests forgets its latency: otherwise, once slow, it
   * would never get another. One that has had no request yet is next.
   */
  get cost(): number {
    if (Number.isNaN(this.#latencyMs)) return presumedLatencyMs * this.#pending;
    return this.#latencyMs * this.#weight() * (this.#pending + 1);
  }

  begin(): void {
    this.#pending++;
  }

  /** The head of a response arrived, or `failed` instead of it. */
  observe(latencyMs: number, failed: boolean): void {
    const observedMs = failed ? Math.max(latencyMs, failurePenaltyMs) : latencyMs;
    const weight = this.#weight();
    const leftMs = this.#latencyMs * weight;
    // This holds for NaN too: the first observation is the peak.
    this.#latencyMs = observedMs < leftMs ? leftMs + observedMs * (1 - weight) : observedMs;
    this.#updatedMs = this.#clock.now();
  }

  /** Nobody waited for the head any longer than `latencyMs`: it would have taken at least that. */
  observeAtLeast(latencyMs: number): void {
    if (!(latencyMs < this.#latencyMs * this.#weight())) this.observe(latencyMs, false);
  }

  end(): void {
    this.#pending--;
  }

  /** How much of the last observation still counts, 0 to 1. */
  #weight(): number {
    return Math.exp((this.#updatedMs - this.#clock.now()) / decayMs);
  }
}
