import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultIdempotencyPolicy } from "../../model/defaults.ts";
import { isFinal, judgeKey, ownerOfKey } from "../../model/idempotency.ts";

const policy = defaultIdempotencyPolicy;
const required = { ...policy, required: true };

/** The fields of a request with these keys. */
function keys(...values: string[]) {
  return { all: (name: string) => (name === "idempotency-key" ? values : []) };
}

describe("a key", () => {
  it("is looked for only on the policy's methods", () => {
    expect(judgeKey(policy, "POST", keys("abc"))).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(policy, "PATCH", keys("abc"))).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(required, "GET", keys("abc"))).toEqual({ kind: "pass" });
    expect(judgeKey(required, "GET", keys())).toEqual({ kind: "pass" });
  });

  it("may be missing, unless the policy requires it", () => {
    expect(judgeKey(policy, "POST", keys())).toEqual({ kind: "pass" });
    expect(judgeKey(required, "POST", keys())).toEqual({ kind: "key-missing" });
  });

  it("is the same with and without quotes", () => {
    expect(judgeKey(policy, "POST", keys('"abc"'))).toEqual({ kind: "keyed", key: "abc" });
    expect(judgeKey(policy, "POST", keys('"a\\"b\\\\c"'))).toEqual({ kind: "keyed", key: 'a"b\\c' });
  });

  it.each([[""], ['""'], ["x".repeat(256)], ["a\tb"], ["caf\u00e9"], ["a\nb"]])("can't be %j", (value) => {
    expect(judgeKey(policy, "POST", keys(value))).toEqual({ kind: "key-invalid" });
  });

  it("is one", () => {
    expect(judgeKey(policy, "POST", keys("a", "a"))).toEqual({ kind: "key-invalid" });
  });
});

describe("the owner of a key", () => {
  const pods = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 8 });

  it("does not exist without pods", () => {
    expect(ownerOfKey("a", "k", [])).toBe(-1);
  });

  it("is the same in whatever order the pods are listed", () => {
    fc.assert(
      fc.property(pods, fc.string(), fc.string(), (names, caller, key) => {
        const owner = names[ownerOfKey(caller, key, names)];
        const turned = names.toReversed();
        expect(turned[ownerOfKey(caller, key, turned)]).toBe(owner);
      }),
    );
  });

  it("stays when another pod is removed or added", () => {
    fc.assert(
      fc.property(pods, fc.string(), (names, key) => {
        const owner = names[ownerOfKey("a", key, names)];
        for (const gone of names.filter((name) => name !== owner)) {
          const left = names.filter((name) => name !== gone);
          expect(left[ownerOfKey("a", key, left)]).toBe(owner);
        }
      }),
    );
  });

  it("is each pod for about its share of the keys, and differs between callers", () => {
    const names = ["payments-7d9f-a1", "payments-7d9f-b2", "payments-7d9f-c3", "payments-7d9f-d4"];
    const counts = [0, 0, 0, 0];
    let sameForBoth = 0;
    for (let i = 0; i < 4_000; i++) {
      const owner = ownerOfKey("spiffe://cluster.local/ns/shop/sa/web", `key-${i}`, names);
      counts[owner] = (counts[owner] ?? 0) + 1;
      if (ownerOfKey("spiffe://cluster.local/ns/shop/sa/app", `key-${i}`, names) === owner) sameForBoth++;
    }
    for (const count of [...counts, sameForBoth]) {
      expect(count).toBeGreaterThan(850);
      expect(count).toBeLessThan(1_150);
    }
  });
});

describe("an answer", () => {
  const final = (status: number, grpcStatus?: number) => isFinal({ status, grpcStatus });

  it.each([200, 201, 204, 303, 400, 403, 404, 409, 410, 422])("of status %d is replayed", (status) => {
    expect(final(status)).toBe(true);
  });

  it.each([401, 408, 421, 425, 429, 500, 502, 503, 504, 599])(
    "of status %d is not: another try may succeed",
    (status) => {
      expect(final(status)).toBe(false);
    },
  );

  it("of gRPC is judged by its own status", () => {
    expect([0, 3, 5, 6, 7, 9, 11, 12].map((code) => final(200, code))).toEqual(Array<boolean>(8).fill(true));
    expect([1, 2, 4, 8, 10, 13, 14, 15, 16].map((code) => final(200, code))).toEqual(Array<boolean>(9).fill(false));
  });
});
