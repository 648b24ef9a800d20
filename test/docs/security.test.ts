import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const text = readFileSync(join(root, "docs/security.md"), "utf8");
const pathsIn = (part: string): string[] => (part.match(/`test\/[^`]+`/g) ?? []).map((name) => name.slice(1, -1));
const paths = new Set(pathsIn(text));

it("names tests that exist", () => {
  const missing = [...paths].filter(
    (path) => !existsSync(join(root, path)) && !existsSync(join(root, `${path}.test.ts`)),
  );
  expect(missing).toEqual([]);
});

it("names every test of an attack", () => {
  const tests = readdirSync(join(root, "test/threats")).filter((name) => name.endsWith(".test.ts"));
  const names = tests.map((name) => `test/threats/${name.slice(0, -".test.ts".length)}`);
  expect(names.filter((name) => !paths.has(name))).toEqual([]);
});

it("names tests for each attempt", () => {
  const [, table = ""] = text.split(/^\| Attempt \|.*\n\|[-|]+\n/m);
  const attempts = table.split("\n\n", 1)[0]?.split("\n") ?? [];
  expect(attempts.length).toBeGreaterThan(30);
  expect(attempts.filter((row) => pathsIn(row.split("|").at(-2) ?? "").length === 0)).toEqual([]);
});
