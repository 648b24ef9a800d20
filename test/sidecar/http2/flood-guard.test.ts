import { expect, it } from "vitest";
import { FloodGuard, TokenBucket } from "../../../sidecar/http2/flood-guard.ts";
import { HandClock } from "../../support/hand-clock.ts";

const admitted = (take: () => boolean, times: number): number =>
  Array.from({ length: times }, take).filter((isAdmitted) => isAdmitted).length;

it("admits a burst, then what time restores", () => {
  const clock = new HandClock();
  const bucket = new TokenBucket(10, 5, clock);
  expect(admitted(() => bucket.take(), 20)).toBe(10);
  clock.advance(2000);
  expect(admitted(() => bucket.take(), 20)).toBe(10);
});

it("never holds more than its capacity", () => {
  const clock = new HandClock();
  const bucket = new TokenBucket(10, 5, clock);
  clock.advance(1_000_000);
  bucket.refund(100);
  expect(admitted(() => bucket.take(), 20)).toBe(10);
});

it("admits as many cancellations as completions", () => {
  const guard = new FloodGuard({ resets: 10, resetsPerSecond: 0 }, new HandClock());
  for (let i = 0; i < 1000; i++) {
    guard.noteCompletion();
    expect(guard.admitReset()).toBe(true);
  }
});

it("admits the window updates that DATA causes", () => {
  const guard = new FloodGuard({ emptyFrames: 10, emptyFramesPerSecond: 0 }, new HandClock());
  for (let i = 0; i < 1000; i++) {
    guard.noteData();
    expect([guard.admitEmptyFrame(), guard.admitEmptyFrame(), guard.admitEmptyFrame()]).toEqual([true, true, true]);
  }
});
