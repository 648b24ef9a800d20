import { expect, it } from "vitest";
import { FailureShare } from "../../deploy/demo/apps/failure-share.ts";

function outcomes(percent: number, requests: number): string {
  const share = new FailureShare();
  return Array.from({ length: requests }, () => (share.isDue(percent) ? "x" : ".")).join("");
}

it.each([0, 1, 5, 10, 30, 95, 100])("fails exactly %d in a hundred", (percent) => {
  expect(outcomes(percent, 1_000).replaceAll(".", "")).toHaveLength(percent * 10);
});

it("fails at most two in a row at ten per cent, and never at the same places", () => {
  const all = outcomes(10, 10_000);
  expect(all).not.toContain("xxx");
  expect(new Set(all.match(/.{10}/g)).size).toBeGreaterThan(5);
});
