import { expect, it } from "vitest";
import { FailureWindow } from "../../model/failure-window.ts";

const policy = { failureThreshold: 3, failureWindowMs: 1000 };

it("counts failures since the last success", () => {
  const window = new FailureWindow({ ...policy, count: "consecutive" });
  expect(window.recordFailure(0)).toBe(false);
  expect(window.recordFailure(1)).toBe(false);
  window.recordSuccess();
  expect(window.recordFailure(2)).toBe(false);
  expect(window.recordFailure(3)).toBe(false);
  expect(window.recordFailure(4)).toBe(true);
});

it("counts every failure in the window, even with successes between them", () => {
  const window = new FailureWindow({ ...policy, count: "window" });
  expect(window.recordFailure(0)).toBe(false);
  window.recordSuccess();
  expect(window.recordFailure(500)).toBe(false);
  window.recordSuccess();
  expect(window.recordFailure(1000)).toBe(true);
});

it.each(["consecutive", "window"] as const)("forgets what is older than the window: %s", (count) => {
  const window = new FailureWindow({ ...policy, count });
  window.recordFailure(0);
  window.recordFailure(500);
  expect(window.recordFailure(1001)).toBe(false);
  expect(window.recordFailure(1500)).toBe(true);
});

it("opens at the first failure with a threshold of 1", () => {
  const window = new FailureWindow({ failureThreshold: 1, failureWindowMs: 1000, count: "consecutive" });
  expect(window.recordFailure(7)).toBe(true);
});
