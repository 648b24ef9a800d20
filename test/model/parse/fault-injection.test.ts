import { describe, expect, it } from "vitest";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

describe("a FaultInjection", () => {
  const until = "2027-01-31T18:00:00Z";
  const untilUnixMs = Date.UTC(2027, 0, 31, 18);

  it("is read in full", () => {
    const spec = { until, match: [{ method: "GET" }], delay: { duration: "2s", percent: 10 }, abort: { status: 503 } };
    expect(parseSpec("FaultInjection", spec)).toEqual({
      ok: true,
      value: {
        untilUnixMs,
        matches: [{ method: "GET" }],
        delay: { delayMs: 2000, percent: 10 },
        abort: { kind: "http", status: 503, percent: 100 },
      },
    });
  });

  it("names gRPC statuses as gRPC does", () => {
    const spec = { until, abort: { grpcStatus: "UNAVAILABLE", percent: 0.1 } };
    expect(parseSpec("FaultInjection", spec)).toMatchObject({
      value: { abort: { kind: "grpc", status: 14, percent: 0.1 } },
    });
    expect(parseSpec("FaultInjection", { until, abort: { grpcStatus: "UNAUTHENTICATED" } })).toMatchObject({
      value: { abort: { status: 16 } },
    });
  });

  it.each<[object, string]>([
    [{ abort: { status: 503 } }, "spec.until: is required"],
    [{ until }, "spec.abort: this or delay or both are required"],
    [{ until, abort: {} }, "spec.abort.status: either this or grpcStatus is required"],
    [
      { until, abort: { status: 503, grpcStatus: "INTERNAL" } },
      "spec.abort.status: either this or grpcStatus is required",
    ],
    [{ until, abort: { status: 200 } }, "spec.abort.status: must be at least 400, got 200"],
    [
      { until: "tomorrow", abort: { status: 503 } },
      'spec.until: must be a time such as 2027-01-31T18:00:00Z, got "tomorrow"',
    ],
    [
      { until: "2027-02-31", abort: { status: 503 } },
      'spec.until: must be a time such as 2027-01-31T18:00:00Z, got "2027-02-31"',
    ],
    [{ until, delay: { duration: "0s" } }, "spec.delay.duration: must be at least 1ms, got 0s"],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseSpec("FaultInjection", spec))).toEqual([message]);
  });
});
