import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { dashboardJson, dashboards } from "../../deploy/grafana/generate.ts";
import { sidecarMetrics } from "../../sidecar/telemetry/metrics.ts";

it.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))(
  "%s.json is as generated",
  (uid, dashboard) => {
    const file = readFileSync(`deploy/grafana/${uid}.json`, "utf8");
    expect(file, "stale: npm run dashboards").toBe(dashboardJson(dashboard));
  },
);

it("queries metrics that exist, by their documented names", () => {
  const documented = ["docs/metrics.md", "docs/control-plane.md"].flatMap((page) =>
    [...readFileSync(page, "utf8").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? ""),
  );
  expect(documented).toContain(sidecarMetrics.requests.name);
  const asked = dashboards.flatMap(({ rows, variables }) => [
    ...rows.flat().flatMap(({ queries }) => queries.map(({ expr }) => expr)),
    ...variables.map(({ query }) => query),
  ]);
  const names = new Set(asked.flatMap((expr) => [...expr.matchAll(/\btulle_\w+/g)].map(([name]) => name)));
  for (const name of names) expect(documented).toContain(name.replace(/_bucket$/, ""));
});

it("has rows as wide as the page, and a description for each panel", () => {
  for (const { rows } of dashboards) {
    for (const row of rows) {
      expect(24 % row.length).toBe(0);
      for (const { says, queries } of row) expect([says.length > 0, queries.length > 0]).toEqual([true, true]);
    }
  }
});
