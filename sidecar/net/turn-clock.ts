/**
 * The time, read once in a turn of the event loop: a request asks for it about fifteen times in each sidecar. What is
 * measured with it are times between turns, so a timer may be early by as much as its turn had taken before it was armed.
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

  /** As the first who asked in this turn was told. */
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
