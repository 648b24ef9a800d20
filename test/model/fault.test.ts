import { expect, it } from "vitest";
import { faultOf } from "../../model/fault.ts";
import type { FaultPolicy } from "../../model/policy.ts";
import { seededRandom } from "../support/seeded-random.ts";

const abort = { kind: "http", status: 503, percent: 10 } as const;
const policy: FaultPolicy = { untilUnixMs: 1000, matches: [], delay: { delayMs: 50, percent: 50 }, abort };

it("delays and aborts by their shares, drawn independently", () => {
  const random = seededRandom(7);
  const faults = Array.from({ length: 20_000 }, () => faultOf(policy, 0, random));
  const share = (holds: (fault: ReturnType<typeof faultOf>) => boolean) => faults.filter(holds).length / faults.length;
  expect(share((fault) => fault?.delayMs === 50)).toBeCloseTo(0.5, 1.9);
  expect(share((fault) => fault?.abort !== undefined)).toBeCloseTo(0.1, 1.9);
  expect(share((fault) => fault?.delayMs === 50 && fault.abort !== undefined)).toBeCloseTo(0.05, 1.9);
});

it("ends by itself", () => {
  expect(faultOf(policy, 999, () => 0)).toEqual({ delayMs: 50, abort });
  expect(faultOf(policy, 1000, () => 0)).toBeUndefined();
});

it("treats 100 as always and 0 as never", () => {
  const always = { ...policy, delay: { delayMs: 50, percent: 100 }, abort: { ...abort, percent: 0 } };
  expect(faultOf(always, 0, () => 0.999999)).toEqual({ delayMs: 50 });
  expect(faultOf(always, 0, () => 0)).toEqual({ delayMs: 50 });
});
