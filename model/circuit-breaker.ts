/**
 * The circuit breaker of one endpoint, or of a whole service. It decides who is admitted; `failureOf` decides what counts as a
 * failure, and `FailureWindow` when there have been enough of them.
 *
 * ```
 *            the threshold is reached            openDuration is over, and someone asks
 *   closed ───────────────────────────▶ open ───────────────────────────▶ half-open
 *     ▲                                   ▲      a probe fails                │ │
 *     │                                   └───────────────────────────────────┘ │
 *     └─────────────────────────────────────────────────────────────────────────┘
 *                       successThreshold probes succeed in a row
 * ```
 * `closed` admits all, `open` nobody, `half-open` one probe at a time: the next follows its verdict, or `openDuration` after it if
 * there is none (a long poll, an answer that never comes).
 */

import type { Clock } from "./clock.ts";
import { FailureWindow } from "./failure-window.ts";
import type { CircuitBreakerPolicy } from "./policy.ts";

export type BreakerState =
  | {
      readonly kind: "closed";
      readonly window: FailureWindow;
      /** Shared by all who are admitted, so that admission allocates nothing. */
      readonly permit: Permit;
    }
  | { readonly kind: "open"; readonly untilMs: number; readonly trips: number }
  | {
      readonly kind: "half-open";
      /** How often it has opened since it was last closed. */
      readonly trips: number;
      /** Probes that succeeded, in a row. */
      readonly successes: number;
      /** The probe that is out, if any. */
      readonly probe: Probe | undefined;
    };

/** Permission to send one request, and the duty to report how it ended, by exactly one of the three calls, once. */
export interface Permit {
  succeed(): void;
  fail(): void;
  /** It ended without a verdict (the caller left): it counts as nothing, and a probe makes room for another. */
  abandon(): void;
}

interface Probe extends Permit {
  /** How long others wait for its verdict. */
  readonly untilMs: number;
}

type ClosedState = Extract<BreakerState, { kind: "closed" }>;
type HalfOpenState = Extract<BreakerState, { kind: "half-open" }>;

export class CircuitBreaker {
  readonly #policy: CircuitBreakerPolicy;
  readonly #clock: Clock;
  readonly #onTransition: ((from: BreakerState["kind"], to: BreakerState["kind"]) => void) | undefined;
  readonly #mayOpen: () => boolean;
  #state: BreakerState;

  /** `mayOpen` is asked before it leaves `closed`; it limits how many breakers may be open at once (see `mayOpen`). */
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
    this.#state = this.#closed();
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** When the next probe is admitted, on the clock given; undefined unless open. */
  get openUntilMs(): number | undefined {
    return this.#state.kind === "open" ? this.#state.untilMs : undefined;
  }

  /** Undefined: not admitted now; try another endpoint. */
  admit(): Permit | undefined {
    const state = this.#state;
    switch (state.kind) {
      case "closed":
        return state.permit;
      case "open":
        return this.#clock.now() < state.untilMs ? undefined : this.#sendProbe(state.trips, 0);
      case "half-open":
        return this.#isAwaited(state.probe) ? undefined : this.#sendProbe(state.trips, state.successes);
    }
  }

  /** Whether a probe would be admitted: until one is sent, nobody learns whether the endpoint has recovered. */
  get awaitsProbe(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case "closed":
        return false;
      case "open":
        return this.#clock.now() >= state.untilMs;
      case "half-open":
        return !this.#isAwaited(state.probe);
    }
  }

  #isAwaited(probe: Probe | undefined): boolean {
    return probe !== undefined && this.#clock.now() < probe.untilMs;
  }

  /** A result that arrives after this state was left is dropped, even if the breaker is closed again. */
  #closed(): ClosedState {
    const closed: ClosedState = {
      kind: "closed",
      window: new FailureWindow(this.#policy),
      permit: {
        succeed: () => {
          if (this.#state === closed) closed.window.recordSuccess();
        },
        fail: () => {
          if (this.#state !== closed) return;
          if (closed.window.recordFailure(this.#clock.now()) && this.#mayOpen()) this.#open(1);
        },
        abandon: () => {},
      },
    };
    return closed;
  }

  #sendProbe(trips: number, successes: number): Permit {
    const settle = (next: (state: HalfOpenState) => void) => () => {
      const state = this.#state;
      if (state.kind === "half-open" && state.probe === probe) next(state);
    };
    const probe: Probe = {
      untilMs: this.#clock.now() + this.#policy.openDurationMs,
      succeed: settle((state) => this.#countSuccess(state)),
      fail: settle((state) => this.#open(state.trips + 1)),
      abandon: settle((state) => this.#enter({ ...state, probe: undefined })),
    };
    this.#enter({ kind: "half-open", trips, successes, probe });
    return probe;
  }

  #countSuccess(state: HalfOpenState): void {
    const successes = state.successes + 1;
    if (successes < this.#policy.successThreshold) return this.#enter({ ...state, successes, probe: undefined });
    this.#enter(this.#closed());
  }

  #open(trips: number): void {
    const { openDurationMs, maxOpenDurationMs = openDurationMs } = this.#policy;
    const durationMs = Math.min(openDurationMs * 2 ** (trips - 1), Math.max(maxOpenDurationMs, openDurationMs));
    this.#enter({ kind: "open", untilMs: this.#clock.now() + durationMs, trips });
  }

  #enter(next: BreakerState): void {
    const from = this.#state.kind;
    this.#state = next;
    if (from !== next.kind) this.#onTransition?.(from, next.kind);
  }
}

function always(): boolean {
  return true;
}

/**
 * Whether one more of a service's breakers may leave `closed`, so that never more than `maxOpenPercent` of its `total`
 * endpoints are out. `outNow` counts those that are open or half-open.
 */
export function mayOpen(outNow: number, total: number, maxOpenPercent: number): boolean {
  return (outNow + 1) * 100 <= total * maxOpenPercent;
}
