import { expect, it } from "vitest";
import { leftBehind } from "../bench/left-behind.ts";
import type { Row } from "../bench/report.ts";

const tenths = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;

function rowsOf(metrics: { series?: (share: number) => number; out?: (share: number) => number }): readonly Row[] {
  const { series = () => 640, out = () => 40 } = metrics;
  return tenths.map((share) => ({
    chain: `${share * 100} %`,
    round: 0,
    metrics: { requests: share * 1_000_000, series: series(share), out_private: out(share), in_private: 38 },
  }));
}

it("is nothing where what grows grew within the first fifth", () => {
  expect(
    leftBehind(rowsOf({ series: (share) => (share < 0.2 ? 600 : 640), out: (share) => (share < 0.2 ? 20 : 55) })),
  ).toEqual([]);
});

it("is a single series more", () => {
  expect(leftBehind(rowsOf({ series: (share) => (share > 0.5 ? 641 : 640) }))).toEqual([
    "series: 640 after 20 % of the names, at least 641 in the end",
  ]);
});

it("is more private memory than a heap varies by, at each of the last readings", () => {
  expect(leftBehind(rowsOf({ out: (share) => 40 + share * 25 }))).toEqual([]);
  expect(leftBehind(rowsOf({ out: (share) => (share === 1 ? 90 : 40) }))).toEqual([]);
  expect(leftBehind(rowsOf({ out: (share) => 40 + share * 30 }))).toEqual([
    "private memory of the outbound sidecar: 46 MB after 20 % of the names, at least 64 MB in the end",
  ]);
});

it("is not known, and so not nothing, where nothing could be read", () => {
  expect(leftBehind([])).toEqual(["nothing was measured"]);
  expect(leftBehind(rowsOf({ out: () => Number.NaN }))).toHaveLength(1);
});
