/** Quantiles of durations counted in classic buckets, computed like Prometheus' `histogram_quantile`. */

/** Upper bounds, ascending: those of `ServiceLatency` in discovery.proto. */
export const boundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

/**
 * The duration below which this share of all lies, interpolated within its bucket. `cumulative` has a count for each bound,
 * then the total. Undefined: nothing was counted, or it lies above the last bound.
 */
export function quantileMs(cumulative: readonly number[], share: number): number | undefined {
  const total = cumulative[boundsMs.length] ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  let lowMs = 0;
  let below = 0;
  for (const [index, highMs] of boundsMs.entries()) {
    const upTo = cumulative[index] ?? 0;
    if (upTo >= rank) return lowMs + ((highMs - lowMs) * (rank - below)) / Math.max(upTo - below, 1);
    lowMs = highMs;
    below = upTo;
  }
  return undefined;
}
