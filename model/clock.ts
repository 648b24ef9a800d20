/** Time and chance, as arguments: what decides never reads a clock or rolls a die of its own. */

/** Monotonic time. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back. */
  now(): number;
}

/** A number in [0, 1), as `Math.random` gives it. */
export type Random = () => number;
