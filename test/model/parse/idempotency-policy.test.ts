import { describe, expect, it } from "vitest";
import { defaultIdempotencyPolicy } from "../../../model/defaults.ts";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

describe("an IdempotencyPolicy", () => {
  it("has defaults", () => {
    expect(parseSpec("IdempotencyPolicy", {})).toEqual({ ok: true, value: defaultIdempotencyPolicy });
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
    expect(parseSpec("IdempotencyPolicy", spec)).toEqual({
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
    expect(errorsOf(parseSpec("IdempotencyPolicy", spec))).toEqual([message]);
  });
});
