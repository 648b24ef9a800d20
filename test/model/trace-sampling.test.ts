import { expect, it } from "vitest";
import { isTraceSampled } from "../../model/trace-sampling.ts";
import { seededRandom } from "../support/seeded-random.ts";

const random = seededRandom(3);
const traceIds = Array.from({ length: 20_000 }, () =>
  Array.from({ length: 8 }, () =>
    Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, "0"),
  ).join(""),
);

it.each([0.01, 0.1, 0.5])("records a share of %d", (ratio) => {
  expect(traceIds.filter((id) => isTraceSampled(id, ratio)).length / traceIds.length).toBeCloseTo(ratio, 1.9);
});

it("records all at 1 and none at 0", () => {
  expect(traceIds.every((id) => isTraceSampled(id, 1))).toBe(true);
  expect(traceIds.some((id) => isTraceSampled(id, 0))).toBe(false);
});

it("records at a higher ratio everything that it records at a lower one", () => {
  expect(traceIds.every((id) => !isTraceSampled(id, 0.1) || isTraceSampled(id, 0.2))).toBe(true);
});

it("uses the last 56 bits", () => {
  expect(isTraceSampled(`${"f".repeat(18)}00000000000000`, 0.5)).toBe(false);
  expect(isTraceSampled(`${"0".repeat(18)}80000000000000`, 0.5)).toBe(true);
  expect(isTraceSampled(`${"0".repeat(18)}7fffffffffffff`, 0.5)).toBe(false);
});
