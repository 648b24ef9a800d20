import fc from "fast-check";
import { expect, it } from "vitest";
import { WeightedChoice } from "../../model/weighted-choice.ts";
import { seededRandom } from "../support/seeded-random.ts";

const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);

function shares(picks: (number | undefined)[], places: number): number[] {
  const counts = Array.from({ length: places }, () => 0);
  for (const place of picks) if (place !== undefined) counts[place] = (counts[place] ?? 0) + 1;
  return counts.map((count) => count / picks.length);
}

it("picks nothing if all weights are 0, or there are none", () => {
  expect(new WeightedChoice([0, 0]).pick(0.5)).toBeUndefined();
  expect(new WeightedChoice([]).pick(0.5)).toBeUndefined();
  expect(new WeightedChoice([0, 0]).pickSticky("x")).toBeUndefined();
});

it("follows the weights, whatever their sum", () => {
  const random = seededRandom(1);
  const choice = new WeightedChoice([900, 0, 100]);
  const found = shares(
    Array.from({ length: 20_000 }, () => choice.pick(random())),
    3,
  );
  expect(found[0]).toBeCloseTo(0.9, 1.9);
  expect(found[1]).toBe(0);
  expect(found[2]).toBeCloseTo(0.1, 1.9);
});

it("never picks a weight of 0, and always picks something else", () => {
  const weight = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 }));
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 12 }), chance, fc.string(), (weights, random, key) => {
      fc.pre(weights.some((w) => w > 0));
      const choice = new WeightedChoice(weights);
      expect(weights[choice.pick(random) ?? -1]).toBeGreaterThan(0);
      expect(weights[choice.pickSticky(key) ?? -1]).toBeGreaterThan(0);
    }),
  );
});

it("keeps a sticky key at its place, and follows the weights over many keys", () => {
  const choice = new WeightedChoice([90, 10], ["v1", "v2"]);
  const picks = keys.map((key) => choice.pickSticky(key));
  expect(keys.map((key) => choice.pickSticky(key))).toEqual(picks);
  expect(shares(picks, 2)[1]).toBeCloseTo(0.1, 1.9);
});

it("moves only the sticky keys that a changed weight gains", () => {
  const before = new WeightedChoice([90, 10], ["v1", "v2"]);
  const after = new WeightedChoice([90, 30], ["v1", "v2"]);
  const moved = keys.filter((key) => before.pickSticky(key) !== after.pickSticky(key));
  for (const key of moved) expect(after.pickSticky(key)).toBe(1);
  expect(moved.length / keys.length).toBeCloseTo(0.25 - 0.1, 1.9);
});

it("moves only the sticky keys of a backend that is removed", () => {
  const before = new WeightedChoice([1, 1, 1], ["a", "b", "c"]);
  const after = new WeightedChoice([1, 1], ["a", "c"]);
  const moved = keys.filter((key) => {
    const was = ["a", "b", "c"][before.pickSticky(key) ?? -1];
    return was !== "b" && was !== ["a", "c"][after.pickSticky(key) ?? -1];
  });
  expect(moved).toEqual([]);
});

it("identifies backends by name, not by position", () => {
  const one = new WeightedChoice([1, 2], ["a", "b"]);
  const other = new WeightedChoice([2, 1], ["b", "a"]);
  for (const key of keys.slice(0, 500)) {
    expect(["a", "b"][one.pickSticky(key) ?? -1]).toBe(["b", "a"][other.pickSticky(key) ?? -1]);
  }
});
