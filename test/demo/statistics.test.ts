import { describe, expect, it } from "vitest";
import { boundPercent, changePoint, percentile } from "../../deploy/demo/tour/statistics.ts";

/** mulberry32: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it("allows a 10 % share of 2,000 requests about three points either way", () => {
  expect(boundPercent(0.1, 2_000)).toBeCloseTo(3.019, 3);
});

describe("changePoint", () => {
  it("finds where the share went from 10 % to 50 %", () => {
    const random = seeded(7);
    const outcomes = Array.from({ length: 600 }, (_, i) => random() < (i < 200 ? 0.1 : 0.5));
    const at = changePoint(outcomes, 0.1, 0.5);
    expect(at).toBeGreaterThan(185);
    expect(at).toBeLessThan(215);
  });

  it("finds none if nothing changed", () => {
    const random = seeded(8);
    expect(
      changePoint(
        Array.from({ length: 600 }, () => random() < 0.1),
        0.1,
        0.5,
      ),
    ).toBeUndefined();
    expect(changePoint([], 0.1, 0.5)).toBeUndefined();
  });

  it("is 0 if all outcomes are of the new kind", () => {
    const random = seeded(9);
    const at = changePoint(
      Array.from({ length: 600 }, () => random() < 0.5),
      0.1,
      0.5,
    );
    expect(at).toBeLessThan(15);
  });
});

it("computes percentiles", () => {
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([3, 1, 2], 0.99)).toBe(3);
  expect(percentile([], 0.5)).toBe(0);
});
