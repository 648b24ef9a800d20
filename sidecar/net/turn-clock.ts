/**
 * The time, read once per turn of the event loop, since a request asks for it about fifteen times in each sidecar. It
 * measures times between turns, so a timer may be early by as much as its turn had taken when it was armed.
 */

import type { Clock } from "../../model/clock.ts";
import { atTurnEnd } from "./turn-end.ts";

export class TurnClock implements Clock {
  readonly #clock: Clock;
  #now = 0;
  #isFresh = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time as first read in this turn. */
  now(): number {
    return this.#isFresh ? this.#now : this.#read();
  }

  #read(): number {
    this.#isFresh = true;
    this.#now = this.#clock.now();
    atTurnEnd(this.#forget);
    return this.#now;
  }

  readonly #forget = (): void => {
    this.#isFresh = false;
  };
}
