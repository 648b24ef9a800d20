import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { boundsMs, quantileMs } from "../../../control-plane/traffic/quantile.ts";
import { exposedBoundsMs } from "../../../sidecar/telemetry/histogram.ts";

it("has the same bounds as sidecars and the protocol", () => {
  expect([...boundsMs]).toEqual(exposedBoundsMs);
  const proto = readFileSync("proto/tulle/v1/discovery.proto", "utf8");
  const named = boundsMs.map((bound) => bound.toLocaleString("en-US"));
  expect(proto.replace(/\s*\n\s*\/\/ /g, " ")).toContain(
    `at most ${named.slice(0, -1).join(", ")} and ${named.at(-1)} ms`,
  );
});

/** So many in each bucket, those above the last bound at the end. */
function cumulative(counts: Readonly<Record<number, number>>): number[] {
  let sum = 0;
  return [...boundsMs, Number.POSITIVE_INFINITY].map((bound) => (sum += counts[bound] ?? 0));
}

it.each([
  ["the middle of a bucket", { 10: 100 }, 0.5, 7.5],
  ["the end of a bucket", { 10: 50, 25: 50 }, 0.5, 10],
  ["a share of the next bucket", { 10: 90, 100: 10 }, 0.99, 95],
  ["the first bucket", { 0.5: 4 }, 0.5, 0.25],
])("interpolates to %s", (_where, counts, share, ms) => {
  expect(quantileMs(cumulative(counts), share)).toBeCloseTo(ms);
});

it("is undefined without requests, and above the last bound", () => {
  expect(quantileMs([], 0.5)).toBeUndefined();
  expect(quantileMs(cumulative({ [Number.POSITIVE_INFINITY]: 3 }), 0.5)).toBeUndefined();
});
