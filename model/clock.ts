/** Time and chance as arguments: nothing that decides ever reads a clock or draws a random number by itself. */

/** Monotonic time. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back. */
  now(): number;
}

/** A number in [0, 1), as `Math.random` gives it. */
export type Random = () => number;
