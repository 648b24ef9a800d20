import { describe, expect, it } from "vitest";
import { defaultCircuitBreakerPolicy } from "../../../model/defaults.ts";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

describe("a CircuitBreaker", () => {
  it("has defaults", () => {
    expect(parseSpec("CircuitBreaker", {})).toEqual({ ok: true, value: defaultCircuitBreakerPolicy });
  });

  it("is read in full", () => {
    const spec = {
      scope: "Service",
      failureThreshold: 10,
      failureWindow: "30s",
      count: "Window",
      openDuration: "5s",
      maxOpenDuration: "1m",
      successThreshold: 1,
      maxOpenPercent: 50,
      failures: ["timeout", "5xx"],
      maxRequests: 100,
      maxConnections: 10,
      maxPendingRequests: 0,
    };
    expect(parseSpec("CircuitBreaker", spec)).toEqual({
      ok: true,
      value: {
        scope: "service",
        failureThreshold: 10,
        failureWindowMs: 30_000,
        count: "window",
        openDurationMs: 5000,
        maxOpenDurationMs: 60_000,
        successThreshold: 1,
        maxOpenPercent: 50,
        failures: ["5xx", "timeout"],
        maxRequests: 100,
        maxConnections: 10,
        maxPendingRequests: 0,
      },
    });
  });

  it.each<[object, string]>([
    [
      { count: "consecutive" },
      'spec.count: must be one of Consecutive, Window, got "consecutive", did you mean Consecutive?',
    ],
    [{ scope: "Pod" }, 'spec.scope: must be one of Endpoint, Service, got "Pod"'],
    [{ maxOpenDuration: "10s" }, "spec.maxOpenDuration: must be at least openDuration (30s), got 10s"],
    [{ maxOpenPercent: 101 }, "spec.maxOpenPercent: must be at most 100, got 101"],
    [{ maxRequests: 0 }, "spec.maxRequests: must be at least 1, got 0"],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseSpec("CircuitBreaker", spec))).toEqual([message]);
  });
});
