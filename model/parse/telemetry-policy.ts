/**
 * TelemetryPolicy: how much is recorded.
 *
 * ```yaml
 * spec:
 *   targetRefs: [{kind: Service, name: payments}]
 *   samplingRatio: 0.25
 *   accessLog: {requests: all, ratio: 0.01}
 * ```
 */

import type { AccessLog, TelemetryPolicy } from "../policy.ts";
import { number } from "./scalars.ts";
import { given, object, oneOf, type Schema } from "./schema.ts";
import { type Attached, targetRefs } from "./targets.ts";

const share = { min: 0, max: 1 };

const accessLog: Schema<AccessLog> = object({
  // Not `off`, which is a boolean in YAML 1.1.
  requests: oneOf(["none", "errors", "all"]).describe(
    "errors: what the mesh answered itself, what did not end well, and statuses from 500 on.",
  ),
  ratio: number(share).describe("The share of those requests that is logged, 0 to 1.").or(1),
});

export const telemetryPolicySpec: Schema<Attached<TelemetryPolicy>> = object({
  targetRefs: targetRefs(["Service", "HTTPRoute", "GRPCRoute"]),
  samplingRatio: number(share)
    .describe("The share of traces that are recorded, where no caller has decided already.")
    .optional(),
  accessLog: accessLog.describe("The requests that sidecars log.").optional(),
})
  .check({
    cel: "has(self.samplingRatio) || has(self.accessLog)",
    says: "samplingRatio or accessLog must be given",
    field: "samplingRatio",
    find: (spec) =>
      spec.samplingRatio === undefined && spec.accessLog === undefined ? "or accessLog must be given" : undefined,
  })
  .map(({ targetRefs: targets, ...spec }) => ({ targets, spec: given(spec) }));
