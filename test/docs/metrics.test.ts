import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sidecarMetrics } from "../../sidecar/telemetry/metrics.ts";

const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
const metrics = Object.values(sidecarMetrics);

it("documents every metric with its type, labels and help, and no other", () => {
  const documented = text.split("\n").filter((line) => line.startsWith("| `tulle_"));
  const defined = metrics.map(({ name, type, labels, help }) => {
    const names = labels.map((label) => ` \`${label}\``).join("");
    return `| \`${name}\` | ${type} |${names} | ${help} |`;
  });
  expect(documented).toEqual(defined);
});

const suffix = { counter: /_total$/, histogram: /_seconds$/, gauge: /(?<!_total|_count|_sum|_bucket)$/ };

it.each(metrics)("names $name as Prometheus' conventions ask", ({ name, type, help, labels }) => {
  expect(name).toMatch(/^tulle_[a-z]+(_[a-z]+)*$/);
  expect(name).toMatch(suffix[type]);
  expect(name).not.toMatch(/_(ms|milliseconds|minutes)$/);
  expect(help).toMatch(/^[A-Z].*\.$/);
  expect(labels.filter((label) => !/^[a-z]+$/.test(label))).toEqual([]);
});
