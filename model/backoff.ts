/** How long to wait before a retry. */

import type { Random } from "./clock.ts";
import type { RetryPolicy } from "./policy.ts";

/**
 * The delay before the `retry`-th retry, counted from 1, in ms: `initialDelayMs`, then `backoffMultiplier` times the previous
 * one, up to `maxDelayMs`; each varied by ±`jitter`. A varied delay stays below `maxDelayMs` too, spread evenly over the
 * remaining range, so that callers that have reached the cap don't return in step.
 */
export function backoffDelayMs(
  policy: Pick<RetryPolicy, "initialDelayMs" | "backoffMultiplier" | "maxDelayMs" | "jitter">,
  retry: number,
  random: Random,
): number {
  const { initialDelayMs, backoffMultiplier, maxDelayMs, jitter } = policy;
  // Bounded before it meets a delay of 0: 0 × ∞ is no number.
  const factor = Math.min(backoffMultiplier ** (retry - 1), Number.MAX_SAFE_INTEGER);
  const planned = Math.min(initialDelayMs * factor, maxDelayMs);
  const least = planned * (1 - jitter);
  const most = Math.min(planned * (1 + jitter), maxDelayMs);
  return least + random() * (most - least);
}
