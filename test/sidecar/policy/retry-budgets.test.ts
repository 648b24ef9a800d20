import { expect, it } from "vitest";
import { defaultRetryBudget } from "../../../model/defaults.ts";
import { RetryBudgets } from "../../../sidecar/policy/retry-budgets.ts";
import { HandClock } from "../../support/hand-clock.ts";

const wider = { ...defaultRetryBudget, percent: 50 };

it("keeps the budget of each policy of a destination over updates", () => {
  const budgets = new RetryBudgets(new HandClock());
  const [narrow, wide] = [budgets.of("orders"), budgets.of("orders", wider)];
  expect(narrow).not.toBe(wide);
  expect([budgets.of("orders", { ...defaultRetryBudget }), budgets.of("orders", { ...wider })]).toEqual([narrow, wide]);
  expect(budgets.of("orders")).toBe(narrow);
  expect(budgets.of("orders", wider)).toBe(wide);
  expect(budgets.of("payments")).not.toBe(narrow);
});

it("does not keep the budgets of all former policies", () => {
  const budgets = new RetryBudgets(new HandClock());
  const first = budgets.of("orders", { ...wider, windowMs: 1 });
  for (let windowMs = 2; windowMs < 100; windowMs++) {
    expect(budgets.of("orders")).toBe(budgets.of("orders"));
    budgets.of("orders", { ...wider, windowMs });
  }
  expect(budgets.of("orders", { ...wider, windowMs: 1 })).not.toBe(first);
});

it("drops the budgets of destinations that are not in use any more", () => {
  const budgets = new RetryBudgets(new HandClock());
  const [kept, gone] = [budgets.of("orders"), budgets.of("payments")];
  budgets.retain(new Set(["orders", "carts"]));
  expect([...budgets.ofDestination("orders")]).toEqual([kept]);
  expect([...budgets.ofDestination("payments")]).toEqual([]);
  expect(budgets.of("payments")).not.toBe(gone);
});
