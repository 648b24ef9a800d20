/** The rest of a message about a name that nothing has: which names there are. */

import { suggest } from "../model/parse/suggest.ts";

/** A cluster may have thousands. */
const maxNamed = 12;

/** `there are shop/a, shop/b`; of many, the first ones and the nearest. */
export function thereAre(known: readonly string[], wanted: string): string {
  if (known.length <= maxNamed) return `there are ${known.join(", ") || "none"}`;
  const nearest = suggest(wanted, known);
  const asked = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return `there are ${known.slice(0, maxNamed).join(", ")} and ${known.length - maxNamed} more${asked}`;
}
