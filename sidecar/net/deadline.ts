import { Timer } from "./timer-wheel.ts";

/** A timer with a closure: for what is made once per connection or rarely, not once per request. */
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
