import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { definitions } from "../../charts/generate.ts";

const folder = join(import.meta.dirname, "../../charts/tulle-crds/templates");

it("has one definition in the chart for each kind of policy, as the parsers have it (npm run crds)", () => {
  const made = definitions();
  expect(readdirSync(folder).sort()).toEqual([...made.keys()].sort());
  const stale = [...made].filter(([name, text]) => readFileSync(join(folder, name), "utf8") !== text);
  expect(stale.map(([name]) => name)).toEqual([]);
});

it("tells Helm to keep every definition, and so the policies, when its release is removed", () => {
  const kept = [...definitions().values()].map((text) => parse(text) as { metadata: { annotations?: object } });
  for (const { metadata } of kept) expect(metadata.annotations).toMatchObject({ "helm.sh/resource-policy": "keep" });
});

it("contains nothing that Helm would read as a template", () => {
  for (const text of definitions().values()) expect(text).not.toContain("{{");
});
