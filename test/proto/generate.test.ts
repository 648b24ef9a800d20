import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { generate } from "../../proto/generate.ts";

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

it("matches the current .proto files (else: npm run proto)", () => {
  const fresh = mkdtempSync(join(tmpdir(), "tulle-proto-"));
  try {
    generate(fresh);
    expect(contents(join(import.meta.dirname, "../../proto/generated"))).toEqual(contents(fresh));
  } finally {
    rmSync(fresh, { recursive: true });
  }
});
