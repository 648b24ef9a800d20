import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { errorCodes } from "../../model/errors.ts";

const runbook = readFileSync("docs/runbook.md", "utf8");
const rules = parse(readFileSync("deploy/prometheus/alerts.yaml", "utf8")) as {
  groups: { rules: { alert?: string; annotations?: { runbook_url: string } }[] }[];
};
const alerts = rules.groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined);

it("has a section for every alert, where the alert's link leads, and no others", () => {
  const parts = [...runbook.matchAll(/^### (Tulle\w+)$/gm)].map(([, name]) => name);
  expect(parts).toEqual(alerts.map(({ alert }) => alert));
  for (const { alert, annotations } of alerts) {
    expect(annotations?.runbook_url).toBe(`docs/runbook.md#${alert?.toLowerCase()}`);
  }
});

it("names only codes that exist", () => {
  const [, bySymptom = ""] = runbook.split("## By symptom");
  const named = [...bySymptom.matchAll(/`(?:tulle-error: )?([a-z]+_[a-z_]+)`/g)].map(([, code]) => code ?? "");
  const codes = named.filter((code) => !code.startsWith("tulle_"));
  expect(codes.length).toBeGreaterThan(8);
  for (const code of codes) expect(Object.keys(errorCodes)).toContain(code);
});

it("says once for every code where to begin", () => {
  const [, byCode = ""] = runbook.split("## By error code");
  const first = byCode
    .split("\n")
    .flatMap((line) => [...(/^\| (`.*?) \|/.exec(line)?.[1] ?? "").matchAll(/`([a-z_]+)`/g)]);
  expect(first.map(([, code = ""]) => code).sort()).toEqual(Object.keys(errorCodes).sort());
});

it("has a rule test for every alert", () => {
  const tests = readFileSync("deploy/prometheus/alerts_test.yaml", "utf8");
  for (const { alert } of alerts) expect(tests).toContain(`alertname: ${alert}`);
});
