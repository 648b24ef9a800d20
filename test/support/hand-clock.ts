import type { Clock } from "../../model/clock.ts";

/** A clock that a test turns by hand. */
export class HandClock implements Clock {
  #now: number;

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}
