import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const named = readFileSync(join(root, "docs/security.md"), "utf8").match(/`test\/[^`]+`/g) ?? [];
const paths = new Set(named.map((name) => name.slice(1, -1)));

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
