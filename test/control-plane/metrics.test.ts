import { expect, it } from "vitest";
import { ControlPlaneMetrics } from "../../control-plane/metrics.ts";
import type { SidecarLag } from "../../control-plane/push/push-hub.ts";
import { parseExposition } from "../support/exposition.ts";

it("counts all sidecars that are behind, and names for each reason the hundred that have lagged longest", async () => {
  const metrics = new ControlPlaneMetrics();
  const behind = (reason: SidecarLag["reason"], count: number): SidecarLag[] =>
    Array.from({ length: count }, (_, seconds) => ({ sidecar: `shop/${seconds}`, reason, versions: 2, seconds }));
  let lags = [...behind("Pending", 300), ...behind("Refused", 1)];
  metrics.watch({
    subscribers: () => 301,
    replicas: () => 1,
    problems: () => ({ error: 0, warning: 0 }),
    notProgrammed: () => ({ Refused: 0, Pending: 0, NotRedirected: 0 }),
    lags: () => lags,
    rootExpiryMs: () => 0,
    rotationPhase: () => "settled",
    reviews: () => ({ underWay: 0, waiting: 0 }),
  });
  const series = async (name: string) => parseExposition(await metrics.registry.metrics()).get(name) ?? [];
  expect((await series("tulle_sidecars_behind")).map(({ value }) => value)).toEqual([300, 1]);
  const named = await series("tulle_sidecar_lag_seconds");
  expect(named).toHaveLength(101);
  expect(named[0]).toEqual({ labels: { sidecar: "shop/299", reason: "Pending" }, value: 299 });
  expect(named.at(-1)).toEqual({ labels: { sidecar: "shop/0", reason: "Refused" }, value: 0 });
  expect(await series("tulle_sidecar_versions_behind")).toHaveLength(101);
  lags = [];
  expect((await series("tulle_sidecars_behind")).map(({ value }) => value)).toEqual([0, 0]);
  expect(await series("tulle_sidecar_lag_seconds")).toEqual([]);
});

it("reports those of Node's metrics that cost nothing between two scrapes, and no event-loop histogram, which needs a timer", async () => {
  const { registry } = new ControlPlaneMetrics();
  const names = [...parseExposition(await registry.metrics()).keys()].filter((name) => name.includes("eventloop"));
  expect(names).toEqual(["nodejs_eventloop_lag_seconds"]);
});
