import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { loadMallocTrim, trimMemory } from "../../sidecar/trim-memory.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MB = 1024 * 1024;

interface Period {
  readonly cpuMs: number;
  readonly grownMB?: number;
}

/** In which periods a process that did this was trimmed; a trim gives all growth back. */
function trimsIn(periods: readonly Period[]): boolean[] {
  let spentMs = 0;
  let resident = 60 * MB;
  let trims = 0;
  const stop = trimMemory({
    everyMs: 1_000,
    minCpuMs: 500,
    minGrowthBytes: 4 * MB,
    maxLooks: 3,
    cpuMs: () => spentMs,
    residentBytes: () => resident,
    trim: () => {
      trims++;
      resident = 60 * MB;
    },
  });
  const trimmed = periods.map(({ cpuMs, grownMB = 0 }) => {
    const before = trims;
    spentMs += cpuMs;
    resident += grownMB * MB;
    vi.advanceTimersByTime(1_000);
    return trims > before;
  });
  stop();
  return trimmed;
}

it("returns memory as soon as a working process has grown", () => {
  const working = { cpuMs: 1_000 };
  const growing = { cpuMs: 1_000, grownMB: 2 };
  expect(trimsIn([working, growing, growing, working, working, growing])).toEqual([
    true, // whatever a start has left behind
    false,
    true,
    false,
    false,
    true,
  ]);
});

it("leaves an idle process alone, even if it has grown", () => {
  const idle = { cpuMs: 5, grownMB: 8 };
  expect(trimsIn([{ cpuMs: 600 }, idle, idle, idle, idle])).toEqual([true, false, false, false, false]);
});

it("trims after enough work in all, even without growth", () => {
  const little = { cpuMs: 200 };
  expect(trimsIn([little, little, little, little, little, little])).toEqual([false, false, true, false, false, true]);
});

it("finds the function of glibc, or does without", () => {
  const trim = loadMallocTrim();
  expect(() => trim()).not.toThrow();
});
