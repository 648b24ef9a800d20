import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { loadMallocTrim, trimMemory } from "../../sidecar/trim-memory.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What was trimmed while a process used this much CPU in each period. */
function trimsWith(cpuMsPerPeriod: readonly number[]): boolean[] {
  let spentMs = 0;
  let trims = 0;
  const stop = trimMemory({ everyMs: 1_000, minCpuMs: 500, cpuMs: () => spentMs, trim: () => trims++ });
  const trimmed = cpuMsPerPeriod.map((cpuMs) => {
    const before = trims;
    spentMs += cpuMs;
    vi.advanceTimersByTime(1_000);
    return trims > before;
  });
  stop();
  return trimmed;
}

it("gives memory back after work, and leaves an idle process alone", () => {
  expect(trimsWith([600, 0, 10, 500])).toEqual([true, false, false, true]);
});

it("adds up what a little work leaves", () => {
  expect(trimsWith([200, 200, 200, 200])).toEqual([false, false, true, false]);
});

it("finds the function of glibc, or does without", () => {
  const trim = loadMallocTrim();
  expect(() => trim()).not.toThrow();
});
