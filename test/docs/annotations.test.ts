import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { defaultSettings, settingAnnotations } from "../../control-plane/injection/annotations.ts";

const text = readFileSync(new URL("../../docs/annotations.md", import.meta.url), "utf8");

it("documents every annotation with its default, and no other", () => {
  const rows = [...text.matchAll(/^\| `(tulle\.dev\/[a-z-]+)` \| (?:`([^`]*)`| ?) ?\| [^|]+ \|$/gm)];
  const documented = rows.map(([, name, usual = ""]) => [name, usual]);
  const defined = Object.entries(settingAnnotations).map(([name, { field }]) => [name, String(defaultSettings[field])]);
  expect(documented).toEqual(defined);
});
