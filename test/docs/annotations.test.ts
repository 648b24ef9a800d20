import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { defaultSettings, settingAnnotations } from "../../control-plane/injection/annotations.ts";
import { readConfig } from "../../sidecar/config.ts";
import { readSkipped } from "../../sidecar/redirect/config.ts";

const text = readFileSync(new URL("../../docs/annotations.md", import.meta.url), "utf8");

it("documents every annotation with its default, and no other", () => {
  const rows = [...text.matchAll(/^\| `(tulle\.dev\/[a-z-]+)` \| (?:`([^`]*)`| ?) ?\| [^|]+ \|$/gm)];
  const documented = rows.map(([, name, usual = ""]) => [name, usual]);
  const defined = Object.entries(settingAnnotations).map(([name, { field }]) => [name, String(defaultSettings[field])]);
  expect(documented).toEqual(defined);
});

it("documents every variable that the sidecar or its init container reads, and whether it is required", () => {
  const read = new Set<string>(["TULLE_ACCESS_LOG"]); // main.ts reads this one, for a parser of its own
  const env = new Proxy<Record<string, string>>({}, { get: (_, name) => void read.add(String(name)) });
  const config = readConfig(env);
  readSkipped(env);
  const required = config.ok ? [] : config.error.filter(({ message }) => message === "must be set");
  const rows = [...text.matchAll(/^\| `((?:TULLE|POD)_[A-Z_]+)` \|( required)?/gm)];
  expect(new Set(rows.map(([, name]) => name))).toEqual(read);
  expect(new Set(rows.flatMap(([, name, isRequired]) => (isRequired ? [name] : [])))).toEqual(
    new Set(required.map(({ path }) => path)),
  );
});
