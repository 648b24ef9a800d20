import fc from "fast-check";
import { expect, it } from "vitest";
import { TokenBucket } from "../../model/token-bucket.ts";
import { HandClock } from "../support/hand-clock.ts";

const rate = { requests: 10, perMs: 1000, burst: 3 };

function takeAll(bucket: TokenBucket): number {
  let taken = 0;
  while (bucket.tryTake()) taken++;
  return taken;
}

it("is full at first, and fills evenly up to its burst", () => {
  const clock = new HandClock(77);
  const bucket = new TokenBucket(rate, clock);
  expect(takeAll(bucket)).toBe(3);
  expect(bucket.nextInMs).toBeCloseTo(100);
  clock.advance(60);
  expect(bucket.nextInMs).toBeCloseTo(40);
  expect(bucket.tryTake()).toBe(false);
  clock.advance(40);
  expect(bucket.nextInMs).toBe(0);
  expect(takeAll(bucket)).toBe(1);
  clock.advance(1e9);
  expect(bucket.remaining).toBe(3);
  expect(takeAll(bucket)).toBe(3);
});

it("admits no more than its rate plus one burst over any time, and as much if asked often", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 100 }), (pauses) => {
      const clock = new HandClock();
      const bucket = new TokenBucket(rate, clock);
      let taken = takeAll(bucket);
      for (const pause of pauses) {
        clock.advance(pause);
        taken += takeAll(bucket);
        expect(taken).toBeLessThanOrEqual(3 + clock.now() / 100 + 1e-6);
        expect(bucket.nextInMs).toBeGreaterThan(0);
      }
    }),
  );
});
