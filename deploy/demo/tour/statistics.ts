/** What can be concluded from random outcomes without false alarms. Pure. */

/** How many standard deviations the tour allows: a correct mesh fails one check in about 150,000. */
const sigmas = 4.5;

/** The bound, in percent either way, on a share seen in `count` independent outcomes of probability `share`. */
export function boundPercent(share: number, count: number): number {
  return 100 * sigmas * Math.sqrt((share * (1 - share)) / count);
}

/**
 * Where a series of yes/no outcomes went from probability `before` to `after`: the most likely first index of the new regime.
 * Undefined if the evidence for a change is weaker than a million to one.
 */
export function changePoint(outcomes: readonly boolean[], before: number, after: number): number | undefined {
  let evidence = 0;
  let best = Math.log(1e6);
  let index: number | undefined;
  // From the end: the evidence of all outcomes from `i` on for `after` against `before`.
  for (let i = outcomes.length - 1; i >= 0; i--) {
    evidence += outcomes[i] ? Math.log(after / before) : Math.log((1 - after) / (1 - before));
    if (evidence > best) {
      best = evidence;
      index = i;
    }
  }
  return index;
}

/** The value below which this share of the values lies; 0 if there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? 0;
}
