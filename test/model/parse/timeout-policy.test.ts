import { describe, expect, it } from "vitest";
import { defaultTimeoutPolicy } from "../../../model/defaults.ts";
import { errorsOf, parseSpec, warningsOf } from "../../support/policy-objects.ts";

describe("a TimeoutPolicy", () => {
  it("has defaults", () => {
    expect(parseSpec("TimeoutPolicy", {})).toEqual({ ok: true, value: defaultTimeoutPolicy });
  });

  it("turns limits off with 0s", () => {
    expect(parseSpec("TimeoutPolicy", { request: "0s", idle: "0s", connect: "0s", perTry: "0s" })).toEqual({
      ok: true,
      value: {},
    });
  });

  it("is read in full", () => {
    const spec = { request: "10s", perTry: "3s", idle: "1m", connect: "250ms" };
    expect(parseSpec("TimeoutPolicy", spec)).toEqual({
      ok: true,
      value: { requestMs: 10_000, perTryMs: 3000, idleMs: 60_000, connectMs: 250 },
    });
  });

  it("is refused with the field's path", () => {
    expect(errorsOf(parseSpec("TimeoutPolicy", { request: 10, perTryTimeout: "1s" }))).toEqual([
      "spec.perTryTimeout: unknown field, known are targetRefs, request, perTry, idle, connect",
      "spec.request: must be a duration such as 1h30m, 10s or 500ms, got 10",
    ]);
  });

  it("warns of a perTry that is never reached because of request", () => {
    expect(warningsOf("TimeoutPolicy", { request: "1s", perTry: "2s" })).toEqual([
      "spec.perTry: 2s is never reached: request ends all tries after 1s",
    ]);
    expect(warningsOf("TimeoutPolicy", { request: "0s", perTry: "2s" })).toEqual([]);
  });
});
