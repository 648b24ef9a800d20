/**
 * Which requests fail if a given share should. By chance alone, at ten per cent, five in a row fail once in 100,000, which
 * opens a breaker while the demo is showing something else. So of every ten requests as many fail as are due, at random places.
 */

const round = 10;

export class FailureShare {
  readonly #random: () => number;
  #failing = new Set<number>();
  #index = round;
  /** What did not fit into a round, in hundredths of a request: at 5 %, one request fails in every second round. */
  #owed = 0;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Whether the next request fails. */
  isDue(percent: number): boolean {
    if (this.#index === round) this.#begin(percent);
    return this.#failing.has(this.#index++);
  }

  #begin(percent: number): void {
    this.#index = 0;
    this.#owed += Math.min(Math.max(percent, 0), 100) * round;
    const due = Math.floor(this.#owed / 100);
    this.#owed -= due * 100;
    this.#failing = new Set();
    while (this.#failing.size < due) this.#failing.add(Math.floor(this.#random() * round));
  }
}
