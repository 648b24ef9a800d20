import fc from "fast-check";
import { expect, it } from "vitest";
import { backoffDelayMs } from "../../model/backoff.ts";
import { defaultRetryPolicy } from "../../model/defaults.ts";

const middle = () => 0.5;

it("waits 100, 200, 400 … ms, but at most maxDelay", () => {
  const policy = { ...defaultRetryPolicy, jitter: 0 };
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((retry) => backoffDelayMs(policy, retry, middle));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

it("varies a delay by the jitter either way", () => {
  expect(backoffDelayMs(defaultRetryPolicy, 2, () => 0)).toBe(160);
  expect(backoffDelayMs(defaultRetryPolicy, 2, middle)).toBe(200);
  expect(backoffDelayMs(defaultRetryPolicy, 2, () => 1)).toBe(240);
});

it("spreads delays at the cap, below it", () => {
  expect(backoffDelayMs(defaultRetryPolicy, 20, () => 0)).toBe(4000);
  expect(backoffDelayMs(defaultRetryPolicy, 20, () => 1)).toBe(5000);
});

it("stays within its bounds for any policy and retry", () => {
  fc.assert(
    fc.property(
      fc.record({
        initialDelayMs: fc.integer({ min: 0, max: 10_000 }),
        backoffMultiplier: fc.double({ min: 1, max: 10, noNaN: true }),
        maxDelayMs: fc.integer({ min: 0, max: 60_000 }),
        jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.integer({ min: 1, max: 2000 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (policy, retry, chance) => {
        const delay = backoffDelayMs(policy, retry, () => chance);
        const factor = Math.min(policy.backoffMultiplier ** (retry - 1), 1e9);
        const planned = Math.min(policy.initialDelayMs * factor, policy.maxDelayMs);
        expect(delay).toBeGreaterThanOrEqual(planned * (1 - policy.jitter) - 1e-9);
        expect(delay).toBeLessThanOrEqual(Math.min(planned * (1 + policy.jitter), policy.maxDelayMs) + 1e-9);
      },
    ),
  );
});
