import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseManifest } from "../../control-plane/source/manifest.ts";
import { parsePolicy } from "../../model/parse/policy.ts";

const folder = join(import.meta.dirname, "../../docs");
const pages = readdirSync(folder).filter((file) => file.startsWith("migration-"));

it.each(pages)("%s shows valid policies, and the other mesh's objects before them", (page) => {
  const blocks = [...readFileSync(join(folder, page), "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => text,
  );
  const { objects, problems } = parseManifest(blocks.join("---\n"), page);
  expect(problems).toEqual([]);
  const own = objects.filter(({ apiVersion }) => apiVersion.startsWith("tulle.dev/"));
  expect(own.length).toBeGreaterThan(4);
  for (const { apiVersion, kind, metadata, spec } of own)
    expect(parsePolicy({ apiVersion, kind, metadata, spec })).toMatchObject({ ok: true });
  expect(objects.length).toBeGreaterThan(own.length);
});
