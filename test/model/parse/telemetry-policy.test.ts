import { describe, expect, it } from "vitest";
import { parseTelemetryPolicy } from "../../../model/parse/telemetry-policy.ts";
import { errorsOf } from "../../support/policy-objects.ts";

describe("a TelemetryPolicy", () => {
  it("is a ratio", () => {
    expect(parseTelemetryPolicy({ samplingRatio: 0.01 })).toEqual({ ok: true, value: { samplingRatio: 0.01 } });
    expect(errorsOf(parseTelemetryPolicy({ samplingRatio: 10 }))).toEqual([
      "spec.samplingRatio: must be at most 1, got 10",
    ]);
    expect(errorsOf(parseTelemetryPolicy({}))).toEqual(["spec.samplingRatio: is required"]);
  });
});
