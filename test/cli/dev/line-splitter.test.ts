import { expect, it } from "vitest";
import { LineSplitter } from "../../../cli/dev/line-splitter.ts";

function split(...chunks: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

it("puts lines together from any pieces", () => {
  expect(split("on", "e\ntw", "o\r\n\nthree")).toEqual(["one", "two", "", "three"]);
});

it("does not keep a line that never ends", () => {
  const lines = split(...Array.from({ length: 100 }, () => "x".repeat(100)));
  expect(lines.length).toBeGreaterThan(1);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(4_096);
});
