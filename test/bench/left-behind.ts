/** What names without end leave behind in sidecars that have met enough of them to be warm. Pure. */

import type { Row } from "./report.ts";

/** Of the names, until then whatever grows is what any traffic needs. */
const warmShare = 0.2;
/** What a heap varies by from one reading to the next, and of how many the least counts: what is left behind stays in all. */
const tolerableMb = 15;
const lastRows = 3;

const kinds = [
  { metric: "series", says: "series", unit: "", tolerable: 0 },
  { metric: "out_private", says: "private memory of the outbound sidecar", unit: " MB", tolerable: tolerableMb },
  { metric: "in_private", says: "private memory of the inbound sidecar", unit: " MB", tolerable: tolerableMb },
] as const;

/** A line for each of `series`, `out_private` and `in_private` that has grown since the first fifth of the rows. Empty: none. */
export function leftBehind(rows: readonly Row[]): readonly string[] {
  const warm = rows[Math.ceil(rows.length * warmShare) - 1];
  if (warm === undefined) return ["nothing was measured"];
  return kinds.flatMap(({ metric, says, unit, tolerable }) => {
    const before = warm.metrics[metric] ?? Number.NaN;
    const after = Math.min(...rows.slice(-lastRows).map(({ metrics }) => metrics[metric] ?? Number.NaN));
    // Not a number is no proof either.
    if (after - before <= tolerable) return [];
    return [
      `${says}: ${round(before)}${unit} after ${warm.chain} of the names, at least ${round(after)}${unit} in the end`,
    ];
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
