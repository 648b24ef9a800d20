import { Timer } from "../net/timer-wheel.ts";

/** A timer of a connection. One closure each: made once per connection, never per request. */
export class Deadline extends Timer {
  readonly #onExpired: () => void;

  constructor(onExpired: () => void) {
    super();
    this.#onExpired = onExpired;
  }

  expire(): void {
    this.#onExpired();
  }
}
