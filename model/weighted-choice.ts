/** Chooses a backend by weight. A choice is a snapshot: other weights are another choice. */

import { rendezvousScore } from "./rendezvous.ts";

export class WeightedChoice {
  readonly #names: readonly string[];
  readonly #weights: readonly number[];
  /** Sums of the weights up to and including each place. */
  readonly #upTo: Float64Array;
  readonly #total: number;

  /** Weights are at least 0 and need not sum to anything. `names` tell the places apart for `pickSticky`. */
  constructor(weights: readonly number[], names: readonly string[] = weights.map((_, index) => `${index}`)) {
    this.#names = names;
    this.#weights = weights;
    this.#upTo = new Float64Array(weights.length);
    let total = 0;
    for (const [index, weight] of weights.entries()) this.#upTo[index] = total += weight;
    this.#total = total;
  }

  /** A place, for a number in [0, 1); undefined: all weights are 0. Weight 0 is never picked. */
  pick(random: number): number | undefined {
    if (this.#total === 0) return undefined;
    const at = random * this.#total;
    let low = 0;
    let high = this.#upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#upTo[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The same place for the same key; another weight moves only the keys that this weight gains or loses. */
  pickSticky(key: string): number | undefined {
    if (this.#total === 0) return undefined;
    let best: number | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const [index, name] of this.#names.entries()) {
      const score = rendezvousScore(key, name, this.#weights[index]);
      if (score <= bestScore) continue;
      best = index;
      bestScore = score;
    }
    return best;
  }
}
