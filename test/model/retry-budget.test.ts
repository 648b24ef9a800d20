import fc from "fast-check";
import { expect, it } from "vitest";
import { RetryBudget } from "../../model/retry-budget.ts";
import { HandClock } from "../support/hand-clock.ts";

const policy = { percent: 20, windowMs: 10_000, minRetriesPerSecond: 0 };

function withdrawAll(budget: RetryBudget): number {
  let retries = 0;
  while (budget.tryWithdraw()) retries++;
  return retries;
}

it("allows a percentage of the first tries in the window", () => {
  const budget = new RetryBudget(policy, new HandClock());
  expect(withdrawAll(budget)).toBe(0);
  for (let i = 0; i < 100; i++) budget.recordFirstTry();
  expect(withdrawAll(budget)).toBe(20);
});

it("always allows the floor", () => {
  const budget = new RetryBudget({ ...policy, minRetriesPerSecond: 10 }, new HandClock());
  expect(withdrawAll(budget)).toBe(100);
});

it("forgets what is older than the window, first tries and retries alike", () => {
  const clock = new HandClock(123_456);
  const budget = new RetryBudget(policy, clock);
  for (let i = 0; i < 100; i++) budget.recordFirstTry();
  expect(withdrawAll(budget)).toBe(20);
  clock.advance(9_000);
  for (let i = 0; i < 50; i++) budget.recordFirstTry();
  expect(withdrawAll(budget)).toBe(10);
  clock.advance(1_000);
  expect(withdrawAll(budget)).toBe(0);
  clock.advance(10_000);
  for (let i = 0; i < 100; i++) budget.recordFirstTry();
  expect(withdrawAll(budget)).toBe(20);
});

it("is empty again after a pause of any length", () => {
  const clock = new HandClock();
  const budget = new RetryBudget(policy, clock);
  for (let i = 0; i < 100; i++) budget.recordFirstTry();
  clock.advance(1e9);
  expect(withdrawAll(budget)).toBe(0);
});

it("says how many retries the window allows, and how many are left", () => {
  const clock = new HandClock();
  const budget = new RetryBudget({ percent: 20, windowMs: 10_000, minRetriesPerSecond: 1 }, clock);
  expect(budget.standing).toEqual({ allowed: 10, remaining: 10 });
  for (let i = 0; i < 50; i++) budget.recordFirstTry();
  expect(budget.standing).toEqual({ allowed: 20, remaining: 20 });
  expect(withdrawAll(budget)).toBe(20);
  expect(budget.standing).toEqual({ allowed: 20, remaining: 0 });
  clock.advance(10_000);
  expect(budget.standing).toEqual({ allowed: 10, remaining: 10 });
});

it("keeps the retries of each window within its share of the first tries plus the floor", () => {
  const step = fc.record({ first: fc.nat(50), wanted: fc.nat(50), ms: fc.nat(3000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100), fc.nat(5), (steps, percent, floor) => {
      const clock = new HandClock();
      const budget = new RetryBudget({ percent, windowMs: 10_000, minRetriesPerSecond: floor }, clock);
      const log: { second: number; first: number; retries: number }[] = [];
      for (const { first, wanted, ms } of steps) {
        for (let i = 0; i < first; i++) budget.recordFirstTry();
        let retries = 0;
        for (let i = 0; i < wanted; i++) if (budget.tryWithdraw()) retries++;
        const second = Math.floor(clock.now() / 1000);
        log.push({ second, first, retries });
        const window = log.filter((entry) => entry.second > second - 10);
        const firstInWindow = window.reduce((sum, entry) => sum + entry.first, 0);
        const retriesInWindow = window.reduce((sum, entry) => sum + entry.retries, 0);
        const allowed = Math.floor((percent / 100) * firstInWindow + floor * 10 + 1e-9);
        const withinBudget = retries === 0 || retriesInWindow <= allowed;
        const refusedOnlyOver = retries === wanted || retriesInWindow >= allowed;
        expect({ withinBudget, refusedOnlyOver }).toEqual({ withinBudget: true, refusedOnlyOver: true });
        clock.advance(ms);
      }
    }),
  );
});
