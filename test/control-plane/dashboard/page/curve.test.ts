import { expect, it } from "vitest";
import { curveBetween } from "../../../../control-plane/dashboard/page/curve.ts";

const from = (y: number) => ({ x: 180, y });
const to = (y: number) => ({ x: 330, y });

it("leaves and arrives horizontally", () => {
  expect(curveBetween(from(32), to(94)).path).toBe("M 180 32 C 255 32, 255 94, 330 94");
});

it("keeps figures apart where lines part, meet or cross", () => {
  const heights = (...lines: [number, number][]) => lines.map(([a, b]) => curveBetween(from(a), to(b)).label.y);
  const rows = [32, 94, 156];
  for (const labels of [
    heights(...rows.map((row): [number, number] => [94, row])),
    heights(...rows.map((row): [number, number] => [row, 94])),
    heights([32, 94], [94, 32]),
  ]) {
    const sorted = [...labels].sort((a, b) => a - b);
    const gaps = sorted.slice(1).map((label, index) => label - (sorted[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(12);
  }
});

it("puts figures at the end of a line that leads back", () => {
  expect(curveBetween({ x: 500, y: 32 }, { x: 330, y: 94 }).label).toEqual({ x: 272, y: 86 });
});
