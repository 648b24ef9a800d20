/** The circuit breakers of one backend under one policy: one per endpoint, or one for all endpoints. */

import { CircuitBreaker } from "../../model/circuit-breaker.ts";
import type { Clock } from "../../model/clock.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";

export interface BreakersOptions {
  readonly clock: Clock;
  /** `endpoint`: its address, or `*` for a breaker that all endpoints share. */
  readonly onTransition: (endpoint: string, to: string) => void;
  /** Whether the breaker of one more endpoint may open. */
  readonly mayOpen: () => boolean;
}

/** A different policy gets a new object, and so starts with closed breakers. */
export class Breakers {
  readonly policy: CircuitBreakerPolicy;
  readonly #options: BreakersOptions;
  readonly #shared: CircuitBreaker | undefined;

  constructor(policy: CircuitBreakerPolicy, options: BreakersOptions) {
    this.policy = policy;
    this.#options = options;
    const { clock, onTransition } = options;
    if (policy.scope === "service") {
      this.#shared = new CircuitBreaker(policy, clock, (_from, to) => onTransition("*", to));
    }
  }

  /** Returns the breaker for a new endpoint. */
  of(address: string): CircuitBreaker {
    if (this.#shared !== undefined) return this.#shared;
    const { clock, onTransition, mayOpen } = this.#options;
    return new CircuitBreaker(this.policy, clock, (_from, to) => onTransition(address, to), mayOpen);
  }
}
