/**
 * Lets go of the series of one metric that have not grown for long: peers, services and endpoints come and go, and a sidecar
 * may live for months. It looks at the counts now and then, so that counting itself has nothing to do for it.
 */

import type { LabelSets } from "./label-sets.ts";

/** What a metric gives to be looked through. */
export interface Series {
  readonly labelSets: LabelSets<string>;
  /** It only grows. */
  total(slot: number): number;
  /** Back to nothing: the slot will be another's. */
  reset(slot: number): void;
}

interface Seen {
  readonly labels: object;
  readonly total: number;
  readonly sinceMs: number;
}

export class IdleSeries {
  readonly #series: Series;
  readonly #idleMs: number;
  /** By slot. */
  readonly #seen: Seen[] = [];

  constructor(series: Series, idleMs: number) {
    this.#series = series;
    this.#idleMs = idleMs;
  }

  /** To be called several times within `idleMs`. */
  release(nowMs: number): void {
    const { labelSets } = this.#series;
    for (const [slot, labels] of labelSets.entries) {
      const total = this.#series.total(slot);
      const seen = this.#seen[slot];
      if (seen?.labels !== labels || seen.total !== total) this.#seen[slot] = { labels, total, sinceMs: nowMs };
      else if (nowMs - seen.sinceMs >= this.#idleMs) {
        this.#series.reset(slot);
        labelSets.release(slot);
      }
    }
  }
}
