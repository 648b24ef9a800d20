import { expect, it } from "vitest";
import {
  formatLeft,
  formatMs,
  formatMutualTls,
  formatRate,
  formatShare,
  jointShare,
} from "../../../../control-plane/dashboard/page/format.ts";

it.each([
  [0.94, "0.9/s"],
  [12.4, "12/s"],
  [1234.5, "1235/s"],
  [54_769, "55k/s"],
  [1_936_160, "1.9M/s"],
])("writes %s requests a second as %s", (rate, text) => expect(formatRate(rate)).toBe(text));

it.each([
  [1, "100 %"],
  [0.999999, "99.99 %"],
  [0.5, "50 %"],
  [0.0123, "1.2 %"],
  [0, "0.0 %"],
])("writes a share of %s as %s", (share, text) => expect(formatShare(share)).toBe(text));

it.each([
  [0.52, "0.5 ms"],
  [99.6, "100 ms"],
  [1_540, "1.5 s"],
  [undefined, "over 30 s"],
])("writes %s ms as %s", (ms, text) => expect(formatMs(ms)).toBe(text));

it.each([
  [-1, "over"],
  [59 * 60_000, "59 min"],
  [23.5 * 3_600_000, "23 h 30 min"],
  [400 * 3_600_000, "16 d 16 h"],
])("writes %s ms left as %s", (ms, text) => expect(formatLeft(ms)).toBe(text));

it("calls an edge mutual TLS only if all of it is", () => {
  expect([1, 0.99999, 0.5, 0, undefined].map(formatMutualTls)).toEqual(["yes", "99.99 %", "50 %", "no", "unknown"]);
});

it("averages the known shares, weighted by their requests", () => {
  expect(jointShare({ rate: 3, share: 1 }, { rate: 1, share: 0 })).toBe(0.75);
  expect(jointShare({ rate: 3, share: undefined }, { rate: 1, share: 1 })).toBe(1);
  expect(jointShare({ rate: 3, share: undefined }, { rate: 1, share: undefined })).toBeUndefined();
});
