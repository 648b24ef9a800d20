/**
 * Whether sidecars may still be on their way to a replica, so that what has been counted is not all there is. That is so for a
 * while after this replica has begun to lead, since another was stopped then or has died, and after any other replica has left.
 * It ends early once every ready pod with a sidecar is connected; one that never connects holds nothing up for long.
 */

import type { Clock } from "../../model/clock.ts";

export interface ReturningSidecarsOptions {
  /** The number of other replicas whose figures are known. */
  readonly countReplicas: () => number;
  /** Whether a ready pod has a sidecar that is not connected to any replica. */
  readonly isAnyMissing: () => boolean;
  readonly clock: Clock;
}

/** Longer than the longest pause of a sidecar between two dials: 5 s and half as much again. */
const returnMs = 10_000;

export class ReturningSidecars {
  readonly #options: ReturningSidecarsOptions;
  #untilMs = Number.NEGATIVE_INFINITY;
  #replicas = 0;

  constructor(options: ReturningSidecarsOptions) {
    this.#options = options;
  }

  /** To be called when this replica begins to lead. */
  expect(): void {
    this.#untilMs = this.#options.clock.now() + returnMs;
  }

  /** To be asked whenever a figure has changed: it also notices that a replica has left. */
  areExpected(): boolean {
    const { countReplicas, isAnyMissing, clock } = this.#options;
    const replicas = countReplicas();
    if (replicas < this.#replicas) this.expect();
    this.#replicas = replicas;
    return clock.now() < this.#untilMs && isAnyMissing();
  }
}
