import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ClusterMetrics } from "../../control-plane/cluster-metrics.ts";
import { usage } from "../../control-plane/config.ts";
import { refusals } from "../../control-plane/grpc/refusal.ts";
import { ControlPlaneMetrics } from "../../control-plane/metrics.ts";

const text = readFileSync(new URL("../../docs/control-plane.md", import.meta.url), "utf8");
const rows = text.split("\n").filter((line) => line.startsWith("| `"));

it("documents every metric with its type, labels and help, and no other", async () => {
  const metrics = new ControlPlaneMetrics();
  metrics.watch({
    subscribers: () => 0,
    replicas: () => 1,
    problems: () => ({ error: 0, warning: 0 }),
    notProgrammed: () => ({ Refused: 0, Pending: 0, NotRedirected: 0 }),
    lags: () => [],
    rootExpiryMs: () => 0,
    rotationPhase: () => "settled",
    reviews: () => ({ underWay: 0, waiting: 0 }),
  });
  new ClusterMetrics(metrics.registry, { leads: () => false, countPodsWithoutSidecar: () => 0 });
  const defined = metrics.registry.getMetricsAsArray().filter(({ name }) => name.startsWith("tulle_"));
  const lines = await Promise.all(
    defined.map(async ({ name, help }) => {
      const metric = metrics.registry.getSingleMetric(name);
      const { type } = (await metric?.get()) ?? { type: "none" };
      const labels = metric !== undefined && "labelNames" in metric ? (metric.labelNames as string[]) : [];
      return `| \`${name}\` | ${type} |${labels.map((label) => ` \`${label}\``).join("")} | ${help} |`;
    }),
  );
  expect(rows.filter((row) => row.startsWith("| `tulle_"))).toEqual(lines);
});

it("documents every option, and no other", () => {
  const documented = rows.flatMap((row) => /^\| `(--[^`]+)` \|/.exec(row)?.[1] ?? []);
  const defined = [...usage.matchAll(/^ {2}(--\S+(?: [A-Z:]+)?) {2,}/gm)].map(([, option]) => option);
  expect(documented).toEqual(defined);
});

it("documents every reason for which a connection or a call is refused, and no other", () => {
  const [, table = ""] = text.split("`reason` of `tulle_grpc_refused_total`");
  const documented = table.split("\n\n")[0]?.matchAll(/^\| `([a-z0-9_]+)` \|/gm) ?? [];
  expect(Array.from(documented, ([, reason]) => reason)).toEqual(refusals);
});
