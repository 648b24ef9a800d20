/**
 * Which requests fail if a given share should. By chance alone, at ten per cent, five in a row fail once in 100,000, which
 * opens a breaker while the demo is showing something else. So of every ten requests as many fail as are due, at random places.
 */

const round = 10;

export class BadLuck {
  readonly #random: () => number;
  #places = new Set<number>();
  #place = round;
  /** What did not fit into a round, in hundredths of a request: at 5 %, one request fails in every second round. */
  #owed = 0;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Whether the next request fails. */
  strikes(percent: number): boolean {
    if (this.#place === round) this.#begin(percent);
    return this.#places.has(this.#place++);
  }

  #begin(percent: number): void {
    this.#place = 0;
    this.#owed += Math.min(Math.max(percent, 0), 100) * round;
    const due = Math.floor(this.#owed / 100);
    this.#owed -= due * 100;
    this.#places = new Set();
    while (this.#places.size < due) this.#places.add(Math.floor(this.#random() * round));
  }
}
