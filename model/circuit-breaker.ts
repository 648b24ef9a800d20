/**
 * The circuit breaker of one endpoint, or of a service. It decides who is admitted; what counts as a failure is
 * `failureOf`'s business, and when enough of them have come is `FailureWindow`'s.
 *
 * ```
 *            the threshold is reached            openDuration is over, and someone asks
 *   closed ───────────────────────────▶ open ───────────────────────────▶ half-open
 *     ▲                                   ▲      a probe fails                │ │
 *     │                                   └───────────────────────────────────┘ │
 *     └─────────────────────────────────────────────────────────────────────────┘
 *                       successThreshold probes succeed in a row
 * ```
 * `closed` admits all, `open` nobody, `half-open` one probe at a time.
 */

import type { Clock } from "./clock.ts";
import { FailureWindow } from "./failure-window.ts";
import type { CircuitBreakerPolicy } from "./policy.ts";

export type BreakerState =
  | { readonly kind: "closed"; readonly window: FailureWindow }
  | { readonly kind: "open"; readonly untilMs: number; readonly trips: number }
  | {
      readonly kind: "half-open";
      /** How often it has opened since it was last closed. */
      readonly trips: number;
      /** Probes that succeeded, in a row. */
      readonly successes: number;
      /** The probe that is out, if any. */
      readonly probe: Permit | undefined;
    };

/** Leave to send one request, and the duty to say how it ended: exactly one of the three calls, once. */
export interface Permit {
  succeed(): void;
  fail(): void;
  /** It ended without a verdict (the caller went away): counts as nothing, and a probe gives its turn back. */
  abandon(): void;
}

type ClosedState = Extract<BreakerState, { kind: "closed" }>;

export class CircuitBreaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #clock: Clock;
  readonly #onTransition: ((from: BreakerState["kind"], to: BreakerState["kind"]) => void) | undefined;
  readonly #mayOpen: () => boolean;
  #state: BreakerState;
  /** One for all that a closed state admits: admission allocates nothing then. */
  #closedPermit: Permit;

  /** `mayOpen` is asked before it leaves `closed`, for a limit on how many may be out at once (see `mayOpen`). */
  constructor(
    policy: CircuitBreakerPolicy,
    clock: Clock,
    onTransition?: (from: BreakerState["kind"], to: BreakerState["kind"]) => void,
    mayOpen: () => boolean = always,
  ) {
    this.#policy = policy;
    this.#clock = clock;
    this.#onTransition = onTransition;
    this.#mayOpen = mayOpen;
    const closed: ClosedState = { kind: "closed", window: new FailureWindow(policy) };
    this.#state = closed;
    this.#closedPermit = new ClosedPermit(this, closed);
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** When the next probe is admitted, on the clock given; undefined unless open. */
  get openUntilMs(): number | undefined {
    return this.#state.kind === "open" ? this.#state.untilMs : undefined;
  }

  /** Undefined: not now, try elsewhere. */
  admit(): Permit | undefined {
    const state = this.#state;
    switch (state.kind) {
      case "closed":
        return this.#closedPermit;
      case "open":
        return this.#clock.now() < state.untilMs ? undefined : this.#sendProbe(state.trips, 0);
      case "half-open":
        return state.probe === undefined ? this.#sendProbe(state.trips, state.successes) : undefined;
    }
  }

  /** Called by the permits of `admittedIn`; a result that comes after that state was left is dropped. */
  settleClosed(admittedIn: BreakerState, succeeded: boolean): void {
    if (this.#state !== admittedIn || this.#state.kind !== "closed") return;
    if (succeeded) return this.#state.window.recordSuccess();
    if (this.#state.window.recordFailure(this.#clock.now()) && this.#mayOpen()) this.#open(1);
  }

  settleProbe(probe: Permit, outcome: "succeeded" | "failed" | "abandoned"): void {
    const state = this.#state;
    if (state.kind !== "half-open" || state.probe !== probe) return;
    switch (outcome) {
      case "failed":
        return this.#open(state.trips + 1);
      case "abandoned":
        return this.#enter({ ...state, probe: undefined });
      case "succeeded":
        if (state.successes + 1 < this.#policy.successThreshold) {
          return this.#enter({ ...state, successes: state.successes + 1, probe: undefined });
        }
        return this.#close();
    }
  }

  #sendProbe(trips: number, successes: number): Permit {
    const probe = new ProbePermit(this);
    this.#enter({ kind: "half-open", trips, successes, probe });
    return probe;
  }

  #open(trips: number): void {
    const { openDurationMs, maxOpenDurationMs = openDurationMs } = this.#policy;
    const durationMs = Math.min(openDurationMs * 2 ** (trips - 1), Math.max(maxOpenDurationMs, openDurationMs));
    this.#enter({ kind: "open", untilMs: this.#clock.now() + durationMs, trips });
  }

  #close(): void {
    const closed: ClosedState = { kind: "closed", window: new FailureWindow(this.#policy) };
    this.#closedPermit = new ClosedPermit(this, closed);
    this.#enter(closed);
  }

  #enter(next: BreakerState): void {
    const from = this.#state.kind;
    this.#state = next;
    if (from !== next.kind) this.#onTransition?.(from, next.kind);
  }
}

class ClosedPermit implements Permit {
  readonly #breaker: CircuitBreaker;
  readonly #admittedIn: BreakerState;

  constructor(breaker: CircuitBreaker, admittedIn: BreakerState) {
    this.#breaker = breaker;
    this.#admittedIn = admittedIn;
  }

  succeed(): void {
    this.#breaker.settleClosed(this.#admittedIn, true);
  }

  fail(): void {
    this.#breaker.settleClosed(this.#admittedIn, false);
  }

  abandon(): void {}
}

class ProbePermit implements Permit {
  readonly #breaker: CircuitBreaker;

  constructor(breaker: CircuitBreaker) {
    this.#breaker = breaker;
  }

  succeed(): void {
    this.#breaker.settleProbe(this, "succeeded");
  }

  fail(): void {
    this.#breaker.settleProbe(this, "failed");
  }

  abandon(): void {
    this.#breaker.settleProbe(this, "abandoned");
  }
}

function always(): boolean {
  return true;
}

/**
 * Whether one more breaker of a service may leave `closed`: so that never more than `maxOpenPercent` of its `total`
 * endpoints are out. `outNow` counts those that are open or half-open.
 */
export function mayOpen(outNow: number, total: number, maxOpenPercent: number): boolean {
  return (outNow + 1) * 100 <= total * maxOpenPercent;
}
