import { describe, expect, it } from "vitest";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

describe("a TelemetryPolicy", () => {
  it("has a sampling ratio", () => {
    expect(parseSpec("TelemetryPolicy", { samplingRatio: 0.01 })).toEqual({ ok: true, value: { samplingRatio: 0.01 } });
    expect(errorsOf(parseSpec("TelemetryPolicy", { samplingRatio: 10 }))).toEqual([
      "spec.samplingRatio: must be at most 1, got 10",
    ]);
  });

  it("selects which requests are logged, all of them unless it gives a share", () => {
    expect(parseSpec("TelemetryPolicy", { accessLog: { requests: "errors" } })).toEqual({
      ok: true,
      value: { accessLog: { requests: "errors", ratio: 1 } },
    });
    expect(errorsOf(parseSpec("TelemetryPolicy", { accessLog: { requests: false, ratio: 2 } }))).toEqual([
      "spec.accessLog.requests: must be one of none, errors, all, got false",
      "spec.accessLog.ratio: must be at most 1, got 2",
    ]);
  });

  it("must set something", () => {
    expect(errorsOf(parseSpec("TelemetryPolicy", {}))).toEqual(["spec.samplingRatio: or accessLog must be given"]);
  });
});
