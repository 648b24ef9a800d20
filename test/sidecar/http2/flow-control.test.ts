import { beforeEach, describe, expect, it } from "vitest";
import { ConnectionWindow, StreamWindow, WindowBudget } from "../../../sidecar/http2/flow-control.ts";
import { HandClock } from "../../support/hand-clock.ts";

const limits = { initialBytes: 1000, maxBytes: 3500 };
let clock: HandClock;
let budget: WindowBudget;

beforeEach(() => {
  clock = new HandClock();
  budget = new WindowBudget(10_000);
});

/** The peer sends, and the receiver takes, half a window. Returns the increment that was announced. */
function useHalf(window: StreamWindow): number {
  const bytes = window.sizeBytes / 2;
  expect(window.receive(bytes)).toBe(true);
  return window.consume(bytes);
}

describe("a stream's window", () => {
  it("is credited when half of it has been consumed", () => {
    const window = new StreamWindow(limits, budget, clock);
    window.receive(1000);
    expect([window.consume(300), window.consume(199), window.consume(1)]).toEqual([0, 0, 500]);
    clock.advance(1000);
    expect(window.consume(500)).toBe(500);
  });

  it("refuses an octet beyond it", () => {
    const window = new StreamWindow(limits, budget, clock);
    expect([window.receive(1000), window.receive(1)]).toEqual([true, false]);
  });

  it("doubles while half of it is used up in half the time, up to its limit", () => {
    const window = new StreamWindow(limits, budget, clock);
    const increments = [1, 2, 3, 4, 5].map(() => {
      clock.advance(100);
      return useHalf(window);
    });
    expect(increments).toEqual([500, 1500, 2500, 1750, 1750]);
    expect(window.sizeBytes).toBe(3500);
    expect(budget.takenBytes).toBe(2500);
  });

  it("does not grow for a stream that is slow", () => {
    const window = new StreamWindow(limits, budget, clock);
    for (let i = 0; i < 10; i++) {
      clock.advance(125);
      expect(useHalf(window)).toBe(500);
    }
  });

  it("does not grow beyond the process's budget", () => {
    const small = new WindowBudget(1500);
    const first = new StreamWindow(limits, small, clock);
    const second = new StreamWindow(limits, small, clock);
    for (let i = 0; i < 3; i++) {
      useHalf(first);
      useHalf(second);
    }
    expect([first.sizeBytes, second.sizeBytes]).toEqual([2000, 1000]);
    first.release();
    first.release();
    expect(small.takenBytes).toBe(0);
    useHalf(second);
    expect(second.sizeBytes).toBe(2000);
  });
});

describe("a connection's window", () => {
  it("is credited on receipt, a quarter at a time", () => {
    const window = new ConnectionWindow(1000);
    expect([window.receive(249), window.takeCredit()]).toEqual([true, 0]);
    expect([window.receive(1), window.takeCredit()]).toEqual([true, 250]);
    expect([window.receive(1000), window.receive(1)]).toEqual([true, false]);
  });
});
