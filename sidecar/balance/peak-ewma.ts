/**
 * How loaded an endpoint is: the latency of its answers, averaged so that a rise counts at once and a fall slowly,
 * times the requests under way. After Finagle's peak EWMA, as linkerd2-proxy uses it.
 */

import type { Clock } from "../../model/clock.ts";

const decayMs = 10_000;
/** What a new endpoint is taken for, so that it is tried, but not flooded before its first answer. */
const initialLatencyMs = 30;
/** A failure often comes faster than an answer; its latency must not make the endpoint look good. */
const failurePenaltyMs = 500;

export class PeakEwma {
  readonly #clock: Clock;
  #latencyMs = initialLatencyMs;
  #updatedMs: number;
  #pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedMs = clock.now();
  }

  get pending(): number {
    return this.#pending;
  }

  /** The price of one more request: lower is better. */
  get cost(): number {
    return this.#latencyMs * (this.#pending + 1);
  }

  begin(): void {
    this.#pending++;
  }

  /** The head of an answer came, or `failed` instead of it. */
  observe(latencyMs: number, failed: boolean): void {
    const now = this.#clock.now();
    const observedMs = failed ? Math.max(latencyMs, failurePenaltyMs) : latencyMs;
    const weight = observedMs > this.#latencyMs ? 0 : Math.exp((this.#updatedMs - now) / decayMs);
    this.#latencyMs = this.#latencyMs * weight + observedMs * (1 - weight);
    this.#updatedMs = now;
  }

  end(): void {
    this.#pending--;
  }
}
