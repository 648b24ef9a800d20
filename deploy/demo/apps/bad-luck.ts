/**
 * Which requests fail where a share of them is to. By chance alone five of ten per cent fail in a row once in 100,000, which
 * opens a breaker where the demo shows something else: so of each ten requests as many fail as are due, at random places.
 */

const round = 10;

export class BadLuck {
  readonly #random: () => number;
  #places = new Set<number>();
  #place = round;
  /** What a round could not take, in hundredths of a request: of 5 %, one fails in every second round. */
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
