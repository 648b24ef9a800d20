/**
 * Drops the series of one metric that have not grown for a long time: peers, services and endpoints come and go, and a sidecar
 * may live for months. It checks the counts from time to time, so that counting itself costs nothing more.
 */

import type { LabelSets } from "./label-sets.ts";

/** What is needed of a metric to find its idle series. */
export interface Series {
  readonly labelSets: LabelSets<string>;
  /** A number that only grows. */
  total(slot: number): number;
  /** Resets the slot to zero, because another label set will get it. */
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
  /** What was seen of each slot. */
  readonly #seen: Seen[] = [];

  constructor(series: Series, idleMs: number) {
    this.#series = series;
    this.#idleMs = idleMs;
  }

  /** Should be called several times within `idleMs`. */
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
