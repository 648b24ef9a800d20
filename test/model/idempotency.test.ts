import { describe, expect, it } from "vitest";
import { defaultIdempotencyPolicy } from "../../model/defaults.ts";
import { isKept, judgeKey, judgeRepeat } from "../../model/idempotency.ts";

const policy = defaultIdempotencyPolicy;
const required = { ...policy, required: true };

describe("a key", () => {
  it("is looked for on the methods of the policy", () => {
    expect(judgeKey(policy, "POST", ["abc"])).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(policy, "PATCH", ["abc"])).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(required, "GET", ["abc"])).toEqual({ kind: "pass" });
    expect(judgeKey(required, "GET", [])).toEqual({ kind: "pass" });
  });

  it("may be missing, unless the policy requires it", () => {
    expect(judgeKey(policy, "POST", [])).toEqual({ kind: "pass" });
    expect(judgeKey(required, "POST", [])).toEqual({ kind: "key-missing" });
  });

  it("is the same in quotes and bare", () => {
    expect(judgeKey(policy, "POST", ['"abc"'])).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(policy, "POST", ['"a\\"b\\\\c"'])).toEqual({ kind: "keyed", key: 'a"b\\c' });
  });

  it.each([[""], ['""'], ["x".repeat(256)], ["a\tb"], ["caf\u00e9"], ["a\nb"]])("can't be %j", (value) => {
    expect(judgeKey(policy, "POST", [value])).toEqual({ kind: "key-invalid" });
  });

  it("is one", () => {
    expect(judgeKey(policy, "POST", ["a", "a"])).toEqual({ kind: "key-invalid" });
  });
});

describe("a keyed request", () => {
  const kept = { kind: "kept", fingerprint: "f", untilMs: 100 } as const;
  const inFlight = { kind: "in-flight", fingerprint: "f" } as const;

  it("is processed once", () => {
    expect(judgeRepeat(undefined, "f", 0)).toBe("process");
    expect(judgeRepeat(inFlight, "f", 0)).toBe("join");
    expect(judgeRepeat(kept, "f", 99)).toBe("replay");
  });

  it("is new again after the answer's time", () => {
    expect(judgeRepeat(kept, "f", 100)).toBe("process");
    expect(judgeRepeat(kept, "other", 100)).toBe("process");
  });

  it("must be the same request", () => {
    expect(judgeRepeat(inFlight, "other", 0)).toBe("key-reused");
    expect(judgeRepeat(kept, "other", 0)).toBe("key-reused");
  });
});

it("keeps whole answers that are not the server's failure, and not too long", () => {
  const answer = { status: 201, bytes: 10, complete: true };
  expect(isKept(policy, answer)).toBe(true);
  expect(isKept(policy, { ...answer, status: 404 })).toBe(true);
  expect(isKept(policy, { ...answer, status: 500 })).toBe(false);
  expect(isKept(policy, { ...answer, complete: false })).toBe(false);
  expect(isKept(policy, { ...answer, bytes: policy.maxAnswerBytes + 1 })).toBe(false);
});
