/** The layer that answers errors from below, for tests that do not look at its metrics. */

import type { Layer } from "../../sidecar/net/exchange.ts";
import type { RescueOptions } from "../../sidecar/policy/rescue.ts";
import { measureAndRescue } from "../../sidecar/telemetry/measure.ts";
import { createSidecarMetrics } from "../../sidecar/telemetry/metrics.ts";
import { MetricRegistry } from "../../sidecar/telemetry/registry.ts";
import { HandClock } from "./hand-clock.ts";

export function rescue(options: RescueOptions = {}): Layer {
  const metrics = createSidecarMetrics(new MetricRegistry({ labels: {} }));
  return measureAndRescue({
    ...options,
    metrics,
    clock: new HandClock(),
    direction: "outbound",
    service: "shop/orders",
  });
}
