import { assert, double, property } from "fast-check";
import { expect, it } from "vitest";
import { exposedBoundsMs, Histogram } from "../../../sidecar/telemetry/histogram.ts";
import { sidecarMetrics } from "../../../sidecar/telemetry/metrics.ts";

const labels = { direction: "inbound", service: "shop/web" };

function histogramOf(values: readonly number[]): { histogram: Histogram<"direction" | "service">; slot: number } {
  const histogram = new Histogram(sidecarMetrics.requestDuration, 100);
  const slot = histogram.slot(labels);
  for (const value of values) histogram.record(slot, value);
  return { histogram, slot };
}

it("counts a value on a bound below it, as le says", () => {
  for (const [i, bound] of exposedBoundsMs.entries()) {
    const { histogram, slot } = histogramOf([bound]);
    expect(histogram.cumulative(slot)).toEqual(exposedBoundsMs.map((_, j) => (j >= i ? 1 : 0)));
  }
});

it("puts any value into exactly the buckets whose bound it does not exceed", () => {
  assert(
    property(double({ min: 0, max: 1e6, noNaN: true }), (value) => {
      const { histogram, slot } = histogramOf([value]);
      expect(histogram.cumulative(slot)).toEqual(exposedBoundsMs.map((bound) => (value <= bound ? 1 : 0)));
      expect(histogram.count(slot)).toBe(1);
    }),
    { numRuns: 2_000 },
  );
});

it("counts values above all bounds, and counts negative ones as 0", () => {
  const { histogram, slot } = histogramOf([1e9, Number.POSITIVE_INFINITY, -5]);
  expect(histogram.count(slot)).toBe(3);
  expect(histogram.cumulative(slot).at(-1)).toBe(1);
});

it("estimates quantiles to within a quarter", () => {
  const { histogram, slot } = histogramOf(Array.from({ length: 10_000 }, (_, i) => (i + 1) / 10));
  for (const share of [0.1, 0.5, 0.9, 0.99]) {
    const quantile = histogram.quantileMs(slot, share) as number;
    expect(quantile / (share * 1_000)).toBeGreaterThan(0.75);
    expect(quantile / (share * 1_000)).toBeLessThan(1.25);
  }
  expect(histogram.quantileMs(histogram.slot({ ...labels, service: "idle" }), 0.5)).toBeUndefined();
});

it("keeps what it counted while it grows", () => {
  const { histogram, slot } = histogramOf([3, 4]);
  for (let i = 0; i < 100; i++) histogram.record(histogram.slot({ ...labels, service: `s${i}` }), i);
  expect([histogram.count(slot), histogram.sumMs(slot)]).toEqual([2, 7]);
});
