import { Timer } from "./timer-wheel.ts";

/** A timer with a closure: for what is made once per connection, or in what is rare, and not for each request. */
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
