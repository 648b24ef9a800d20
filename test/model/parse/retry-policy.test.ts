import { describe, expect, it } from "vitest";
import { defaultRetryPolicy } from "../../../model/defaults.ts";
import { errorsOf, parseSpec, warningsOf } from "../../support/policy-objects.ts";

describe("a RetryPolicy", () => {
  it("has defaults", () => {
    expect(parseSpec("RetryPolicy", {})).toEqual({ ok: true, value: defaultRetryPolicy });
  });

  it("is read in full", () => {
    const spec = {
      maxAttempts: 5,
      initialDelay: "50ms",
      backoffMultiplier: 1.5,
      maxDelay: "2s",
      jitter: 0,
      perTryTimeout: "1s",
      retryOn: [504, "5xx", "unavailable", "reset", "504"],
      budget: { percent: 10 },
      retryNonIdempotent: true,
    };
    expect(parseSpec("RetryPolicy", spec)).toEqual({
      ok: true,
      value: {
        maxAttempts: 5,
        initialDelayMs: 50,
        backoffMultiplier: 1.5,
        maxDelayMs: 2000,
        jitter: 0,
        perTryTimeoutMs: 1000,
        retryOn: ["reset", "5xx", "504", "unavailable"],
        budget: { percent: 10, windowMs: 10_000, minRetriesPerSecond: 10 },
        retryNonIdempotent: true,
      },
    });
  });

  it("has no perTryTimeout if that is 0s", () => {
    expect(parseSpec("RetryPolicy", { perTryTimeout: "0s" })).toEqual({ ok: true, value: defaultRetryPolicy });
  });

  it.each([400, "401", 403, "404", 409])("can't list %j, and says why", (status) => {
    expect(errorsOf(parseSpec("RetryPolicy", { retryOn: ["503", status] }))).toEqual([
      `spec.retryOn[1]: ${status} can't be retried: the request itself must change before the answer can`,
    ]);
  });

  it.each<[object, string]>([
    [{ maxAttempts: 0 }, "spec.maxAttempts: must be at least 1, got 0"],
    [{ maxAttempts: 1.5 }, "spec.maxAttempts: must be a whole number, got 1.5"],
    [{ maxAttempts: "3" }, 'spec.maxAttempts: must be a whole number, got "3"'],
    [{ maxDelay: "10 parsecs" }, 'spec.maxDelay: must be a duration such as 1h30m, 10s or 500ms, got "10 parsecs"'],
    [{ initialDelay: "10s" }, "spec.initialDelay: must be at most maxDelay (5s), got 10s"],
    [{ jitter: 2 }, "spec.jitter: must be at most 1, got 2"],
    [{ backoffMultiplier: 0.5 }, "spec.backoffMultiplier: must be at least 1, got 0.5"],
    [{ budget: { percent: -1 } }, "spec.budget.percent: must be at least 0, got -1"],
    [{ budget: { ratio: 1 } }, "spec.budget.ratio: unknown field, known are percent, window, minRetriesPerSecond"],
    [{ retryOn: [] }, "spec.retryOn: must have at least 1 item, got 0"],
    [{ retryNonIdempotent: "yes" }, 'spec.retryNonIdempotent: must be true or false, got "yes"'],
  ])("refuses %j", (spec, message) => {
    expect(errorsOf(parseSpec("RetryPolicy", spec))).toEqual([message]);
  });

  it("lists what may be retried if something else is named", () => {
    const [message] = errorsOf(parseSpec("RetryPolicy", { retryOn: ["unavailible"] }));
    expect(message).toMatch(/^spec\.retryOn\[0\]: must be one of connect-failure, .*did you mean unavailable\?$/);
  });

  it("warns of requests that may be processed twice", () => {
    expect(warningsOf("RetryPolicy", { retryNonIdempotent: true })).toEqual([
      "spec.retryNonIdempotent: POST and PATCH may be processed twice; an IdempotencyPolicy on the target would prevent that",
    ]);
    expect(warningsOf("RetryPolicy", {})).toEqual([]);
  });
});
