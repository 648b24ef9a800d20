/** One thing that the mesh is said to do, and how the tour finds out whether it does. */

import type { Shop } from "./shop.ts";

export interface Claim {
  /** In the JSON: a stable word. */
  readonly name: string;
  /** What is claimed, in a few words. */
  readonly title: string;
  /** Leaves the shop as it found it, except where it says otherwise. Throwing means: not proven. */
  readonly prove: (shop: Shop) => Promise<Proof>;
}

export interface Proof {
  readonly ok: boolean;
  /** What was seen, with its figures, in one line. */
  readonly says: string;
  readonly figures: Readonly<Record<string, number | string>>;
}
