import { describe, expect, it } from "vitest";
import { type Report, ratiosOf, toJson, toText } from "../bench/report.ts";

const report: Report = {
  bench: "chain-h1",
  ours: () => "tulle",
  columns: [
    { metric: "sat_us", says: "CPU" },
    { metric: "bad", says: "failed" },
  ],
  rows: [
    { chain: "tulle", round: 0, metrics: { sat_us: 10, bad: 0 } },
    { chain: "envoy", round: 0, metrics: { sat_us: 20, bad: 0 } },
    // A round in which the whole machine was slow.
    { chain: "envoy", round: 1, metrics: { sat_us: 200, bad: 0 } },
    { chain: "tulle", round: 1, metrics: { sat_us: 120, bad: 0 } },
    { chain: "tulle", round: 2, metrics: { sat_us: 11, bad: 0 } },
    { chain: "envoy", round: 2, metrics: { sat_us: 20, bad: 0 } },
  ],
  notes: ["nginx is missing: apt-get install nginx"],
};

describe("ratios", () => {
  it("are the median of what each round says, so that a slow round counts once", () => {
    expect(ratiosOf(report)).toEqual({ envoy: { sat_us: 0.55 } });
  });

  it("leave out a round in which one of the two was not measured", () => {
    const rows = report.rows.filter(({ chain, round }) => chain !== "tulle" || round === 0);
    expect(ratiosOf({ ...report, rows })).toEqual({ envoy: { sat_us: 0.5 } });
  });
});

it("is written as one row per chain and round, metrics beside them", () => {
  const json: unknown = JSON.parse(toJson(report));
  expect(json).toMatchObject({ bench: "chain-h1", ratios: { envoy: { sat_us: 0.55 } } });
  expect(json).toHaveProperty("rows.2", { chain: "envoy", round: 1, sat_us: 200, bad: 0 });
});

it("says in its table what was left out", () => {
  const text = toText(report);
  expect(text).toContain("medians of 3 rounds");
  expect(text).toMatch(/^envoy +0\.55$/m);
  expect(text).toContain("nginx is missing");
});
