import { describe, expect, it } from "vitest";
import { defaultIdempotencyPolicy } from "../../../model/defaults.ts";
import { parseFaultInjection } from "../../../model/parse/fault-injection.ts";
import { parseIdempotencyPolicy } from "../../../model/parse/idempotency-policy.ts";
import { parseRateLimit } from "../../../model/parse/rate-limit.ts";
import { parseTelemetryPolicy } from "../../../model/parse/telemetry-policy.ts";
import type { FieldError, Result } from "../../../model/result.ts";

function errorsOf(result: Result<unknown, FieldError[]>): string[] {
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
}

describe("a RateLimit", () => {
  it("is read in full", () => {
    const spec = {
      ports: [8080],
      limits: [
        { requests: 100 },
        { requests: 10, per: "1m", burst: 20, by: "client", match: [{ method: "POST" }, { path: { value: "/a" } }] },
      ],
    };
    expect(parseRateLimit(spec)).toEqual({
      ok: true,
      value: {
        ports: [8080],
        limits: [
          { requests: 100, perMs: 1000, burst: 100, by: "all", matches: [] },
          {
            requests: 10,
            perMs: 60_000,
            burst: 20,
            by: "client",
            matches: [{ method: "POST" }, { path: { kind: "prefix", value: "/a" } }],
          },
        ],
      },
    });
  });

  it.each<[object, string]>([
    [{}, "spec.limits: is required"],
    [{ limits: [{ requests: 0 }] }, "spec.limits[0].requests: must be at least 1, got 0"],
    [{ limits: [{ requests: 1, by: "ip" }] }, 'spec.limits[0].by: must be one of all, client, got "ip"'],
    [
      { limits: [{ requests: 1, match: [{}] }] },
      "spec.limits[0].match[0].headers: one of headers, path and method is required: this would match everything",
    ],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseRateLimit(spec))).toEqual([message]);
  });
});

describe("a FaultInjection", () => {
  const until = "2027-01-31T18:00:00Z";
  const untilUnixMs = Date.UTC(2027, 0, 31, 18);

  it("is read in full", () => {
    const spec = { until, match: [{ method: "GET" }], delay: { duration: "2s", percent: 10 }, abort: { status: 503 } };
    expect(parseFaultInjection(spec)).toEqual({
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
    expect(parseFaultInjection(spec)).toMatchObject({ value: { abort: { kind: "grpc", status: 14, percent: 0.1 } } });
    expect(parseFaultInjection({ until, abort: { grpcStatus: "UNAUTHENTICATED" } })).toMatchObject({
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
    expect(errorsOf(parseFaultInjection(spec))).toEqual([message]);
  });
});

describe("a TelemetryPolicy", () => {
  it("is a ratio", () => {
    expect(parseTelemetryPolicy({ samplingRatio: 0.01 })).toEqual({ ok: true, value: { samplingRatio: 0.01 } });
    expect(errorsOf(parseTelemetryPolicy({ samplingRatio: 10 }))).toEqual([
      "spec.samplingRatio: must be at most 1, got 10",
    ]);
    expect(errorsOf(parseTelemetryPolicy({}))).toEqual(["spec.samplingRatio: is required"]);
  });
});

describe("an IdempotencyPolicy", () => {
  it("has defaults", () => {
    expect(parseIdempotencyPolicy({})).toEqual({ ok: true, value: defaultIdempotencyPolicy });
  });

  it("is read in full", () => {
    const spec = {
      selector: { matchLabels: { app: "payments" } },
      ports: [8080],
      methods: ["PUT", "POST"],
      required: true,
      ttl: "1h",
      maxAnswerBytes: 1000,
      store: "redis",
      onStoreFailure: "allow",
    };
    expect(parseIdempotencyPolicy(spec)).toEqual({
      ok: true,
      value: {
        labels: [["app", "payments"]],
        ports: [8080],
        methods: ["POST", "PUT"],
        required: true,
        ttlMs: 3_600_000,
        maxAnswerBytes: 1000,
        store: "redis",
        onStoreFailure: "allow",
      },
    });
  });

  it.each<[object, string]>([
    [{ methods: ["GET"] }, 'spec.methods[0]: must be one of POST, PATCH, PUT, DELETE, got "GET"'],
    [
      { redisUrl: "redis://x" },
      "spec.redisUrl: unknown field, known are targetRefs, selector, ports, methods, required, ttl, maxAnswerBytes, store, onStoreFailure",
    ],
    [{ ttl: "1ms" }, "spec.ttl: must be at least 1s, got 1ms"],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseIdempotencyPolicy(spec))).toEqual([message]);
  });
});
