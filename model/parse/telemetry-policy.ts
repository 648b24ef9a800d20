/** TelemetryPolicy: how much is recorded. */

import type { TelemetryPolicy } from "../policy.ts";
import type { FieldError, Result } from "../result.ts";
import { number } from "./scalars.ts";
import { object, type Schema } from "./schema.ts";
import { type Attached, specOf, targetRefs } from "./targets.ts";

export const telemetryPolicySpec: Schema<Attached<TelemetryPolicy>> = object({
  targetRefs: targetRefs(["Service", "HTTPRoute", "GRPCRoute"]),
  samplingRatio: number({ min: 0, max: 1 }).describe(
    "The share of traces that are recorded, where no caller has decided already.",
  ),
}).map(({ targetRefs: targets, ...spec }) => ({ targets, spec }));

export function parseTelemetryPolicy(spec: unknown): Result<TelemetryPolicy, FieldError[]> {
  return specOf(telemetryPolicySpec.parse(spec, "spec"));
}
