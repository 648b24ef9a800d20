import { expect, it } from "vitest";
import { BadLuck } from "../../deploy/demo/apps/bad-luck.ts";

function strikes(percent: number, requests: number): string {
  const luck = new BadLuck();
  return Array.from({ length: requests }, () => (luck.strikes(percent) ? "x" : ".")).join("");
}

it.each([0, 1, 5, 10, 30, 95, 100])("fails exactly %d in a hundred", (percent) => {
  expect(strikes(percent, 1_000).replaceAll(".", "")).toHaveLength(percent * 10);
});

it("fails at most two in a row at ten per cent, and never at the same places", () => {
  const all = strikes(10, 10_000);
  expect(all).not.toContain("xxx");
  expect(new Set(all.match(/.{10}/g)).size).toBeGreaterThan(5);
});
