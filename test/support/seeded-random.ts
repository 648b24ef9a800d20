import type { Random } from "../../model/clock.ts";

/** The same numbers in [0, 1) for the same seed (xorshift32). */
export function seededRandom(seed: number): Random {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
