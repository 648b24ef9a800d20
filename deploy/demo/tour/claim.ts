/** One claim about what the mesh does, and how the tour tests it. */

import type { Shop } from "./shop.ts";

export interface Claim {
  /** A stable word for the JSON. */
  readonly name: string;
  /** The claim, in a few words. */
  readonly title: string;
  /** Leaves the shop as it found it, unless documented otherwise. Throwing means: not proven. */
  readonly prove: (shop: Shop) => Promise<Proof>;
}

export interface Proof {
  readonly ok: boolean;
  /** The observation, with its figures, in one line. */
  readonly says: string;
  readonly figures: Readonly<Record<string, number | string>>;
}
