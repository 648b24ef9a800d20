import fc from "fast-check";
import { expect, it } from "vitest";
import { formatRemaining, parseRemaining } from "../../model/deadline.ts";

it.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["30S", 30_000],
  ["250m", 250],
  ["250u", 0.25],
  ["1n", 1e-6],
  ["0m", 0],
  ["99999999n", 99.999999],
])("reads %s", (value, ms) => {
  expect(parseRemaining(value)).toBeCloseTo(ms, 9);
});

it.each(["", "1", "m", "-1m", "+1m", "1.5S", "100000000m", "1s", "1h", "1 S", "1S ", "0x1S"])("ignores %j", (value) => {
  expect(parseRemaining(value)).toBeUndefined();
});

it("only shrinks, by less than a hundredth of a percent, and is not 0 unless late", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e14, noNaN: true }), (ms) => {
      const value = formatRemaining(ms);
      const back = parseRemaining(value) ?? Number.NaN;
      expect(value).toMatch(/^[0-9]{1,8}[HMSmun]$/);
      expect(back).toBeGreaterThan(0);
      expect(back).toBeLessThanOrEqual(ms * (1 + 1e-12));
      expect(back).toBeGreaterThanOrEqual(Math.min(ms - 0.001, ms * 0.9999) - 1e-9);
    }),
  );
});

it.each([0, -1, 0.0009])("is written as 0 if late: %d ms", (ms) => {
  expect(formatRemaining(ms)).toBe("0m");
});
