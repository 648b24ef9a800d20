import { describe, expect, it } from "vitest";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

describe("a RateLimit", () => {
  it("is read in full", () => {
    const spec = {
      ports: [8080],
      limits: [
        { requests: 100 },
        { requests: 10, per: "1m", burst: 20, by: "client", match: [{ method: "POST" }, { path: { value: "/a" } }] },
      ],
    };
    expect(parseSpec("RateLimit", spec)).toEqual({
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
    expect(errorsOf(parseSpec("RateLimit", spec))).toEqual([message]);
  });
});
