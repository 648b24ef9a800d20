/** The circuit breakers of one backend under one policy: one for each endpoint, or one for all of them. */

import { CircuitBreaker } from "../../model/circuit-breaker.ts";
import type { Clock } from "../../model/clock.ts";
import type { CircuitBreakerPolicy } from "../../model/policy.ts";

export interface BreakersOptions {
  readonly clock: Clock;
  /** `endpoint` is its address, or `*` for a breaker that all share. */
  readonly onTransition: (endpoint: string, to: string) => void;
  /** Whether one more endpoint's breaker may open. */
  readonly mayOpen: () => boolean;
}

/** Another policy is another object, and so starts with closed breakers. */
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

  /** The breaker of an endpoint that is new. */
  of(address: string): CircuitBreaker {
    if (this.#shared !== undefined) return this.#shared;
    const { clock, onTransition, mayOpen } = this.#options;
    return new CircuitBreaker(this.policy, clock, (_from, to) => onTransition(address, to), mayOpen);
  }
}
