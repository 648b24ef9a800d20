import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
const afternoon = { lines: 9_000, minutes: 300 };

function linesOf(file: string): number {
  return readFileSync(join(root, file), "utf8").split("\n").length - 1;
}

it("has an afternoon's reading that takes no longer, of files that exist", () => {
  const rows = [...text.matchAll(/^\| (\d+) \| (`.*?`) \|/gm)];
  const minutes = rows.reduce((sum, [, each]) => sum + Number(each), 0);
  const files = rows.flatMap(([, , names = ""]) => [...names.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file));
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(files.length).toBeGreaterThan(30);
  expect(minutes).toBeLessThanOrEqual(afternoon.minutes);
  expect(files.map(linesOf).reduce((sum, lines) => sum + lines)).toBeLessThanOrEqual(afternoon.lines);
});

const folders = [...text.matchAll(/^\| `(.+)\/` \| ([\d,]+) \| (`.*?`) \|/gm)].map(
  ([, folder = "", lines = "", first = ""]) => ({
    folder,
    lines: Number(lines.replace(",", "")),
    first: [...first.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => join(folder, file)),
  }),
);

it("leads into every folder of both processes", () => {
  const there = ["sidecar", "control-plane"].flatMap((part) =>
    readdirSync(join(root, part), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${part}/${name}`),
  );
  expect(folders.map(({ folder }) => folder)).toEqual(expect.arrayContaining(there));
});

it.each(folders)(
  "states the size of $folder, and begins with a file that says what it owns",
  ({ folder, lines, first }) => {
    const sources = globSync(`${folder}/**/*.{ts,tsx,proto}`, { cwd: root }).filter(
      (file) => !file.includes("generated"),
    );
    const counted = sources.map(linesOf).reduce((sum, each) => sum + each, 0);
    // As a reader needs it: it is not touched with each change, nor does a change meet it by surprise.
    expect(counted).toBeGreaterThan(lines / 2 - 100);
    expect(counted).toBeLessThan(lines * 2 + 100);
    for (const file of first) expect(readFileSync(join(root, file), "utf8")).toMatch(/^(\/\*\*|\/\/)/);
  },
);
