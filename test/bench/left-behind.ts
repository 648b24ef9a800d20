/** What endless names leave behind in sidecars that are warm from enough of them. Pure. */

import type { Row } from "./report.ts";

/** The share of the names used to warm up: until then, whatever grows is needed by any traffic. */
const warmShare = 0.2;
/**
 * How much a heap varies between readings. Of several readings the least counts, because what is left behind is in all of them.
 */
const tolerableMb = 15;
const lastRows = 3;

const kinds = [
  { metric: "series", says: "series", unit: "", tolerable: 0 },
  { metric: "out_private", says: "private memory of the outbound sidecar", unit: " MB", tolerable: tolerableMb },
  { metric: "in_private", says: "private memory of the inbound sidecar", unit: " MB", tolerable: tolerableMb },
] as const;

/**
 * One line for each of `series`, `out_private` and `in_private` that has grown since the first fifth of the rows. Empty: none
 * has.
 */
export function leftBehind(rows: readonly Row[]): readonly string[] {
  const warm = rows[Math.ceil(rows.length * warmShare) - 1];
  if (warm === undefined) return ["nothing was measured"];
  return kinds.flatMap(({ metric, says, unit, tolerable }) => {
    const before = warm.metrics[metric] ?? Number.NaN;
    const after = Math.min(...rows.slice(-lastRows).map(({ metrics }) => metrics[metric] ?? Number.NaN));
    // NaN is not proof either.
    if (after - before <= tolerable) return [];
    return [
      `${says}: ${round(before)}${unit} after ${warm.chain} of the names, at least ${round(after)}${unit} in the end`,
    ];
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
