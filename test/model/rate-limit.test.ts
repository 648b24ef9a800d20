import { beforeEach, describe, expect, it } from "vitest";
import type { RateLimit } from "../../model/policy.ts";
import { admit, formatRateLimit, formatRetryAfter, RateLimiter, type RateVerdict } from "../../model/rate-limit.ts";
import type { RequestView } from "../../model/route-match.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";
import { HandClock } from "../support/hand-clock.ts";

const overall: RateLimit = { requests: 2, perMs: 1000, burst: 2, by: "all", matches: [] };
const perClient: RateLimit = { ...overall, by: "client" };

let clock: HandClock;

beforeEach(() => {
  clock = new HandClock();
});

function get(path = "/"): RequestView {
  return { method: "GET", path, query: "", headers: new HeaderFields() };
}

function outcomes(verdicts: readonly RateVerdict[]): string {
  return verdicts.map(({ kind }) => (kind === "admitted" ? "+" : "-")).join("");
}

it("admits everything if no limit applies", () => {
  expect(admit([new RateLimiter([], clock)], get(), "a")).toEqual({ kind: "admitted" });
});

it("refuses over the limit, and says when it would admit again", () => {
  const limiter = new RateLimiter([overall], clock);
  admit([limiter], get(), "a");
  admit([limiter], get(), "b");
  expect(admit([limiter], get(), "c")).toMatchObject({ kind: "refused", retryAfterMs: 500 });
  clock.advance(500);
  expect(admit([limiter], get(), "c").kind).toBe("admitted");
});

it("counts callers separately, and those without an identity together", () => {
  const limiter = new RateLimiter([perClient], clock);
  const clients = ["a", "a", "a", "b", "b", "b", undefined, undefined, undefined];
  expect(outcomes(clients.map((client) => admit([limiter], get(), client)))).toBe("++-++-++-");
});

it("counts only the requests that a limit matches", () => {
  const reports = { ...overall, matches: [{ path: { kind: "prefix", value: "/reports" } as const }] };
  const limiter = new RateLimiter([reports], clock);
  const paths = ["/reports", "/reports/1", "/reports/2", "/other", "/%72eports"];
  expect(outcomes(paths.map((path) => admit([limiter], get(path), "a")))).toBe("++-+-");
});

it("takes tokens from all limits or from none", () => {
  const limiter = new RateLimiter([{ ...overall, requests: 3, burst: 3 }, perClient], clock);
  expect(outcomes(["a", "a", "a", "a", "b", "b"].map((client) => admit([limiter], get(), client)))).toBe("++--+-");
});

it("takes tokens from the limits of all policies or from none", () => {
  const [wide, narrow] = [
    new RateLimiter([{ ...overall, requests: 3, burst: 3 }], clock),
    new RateLimiter([perClient], clock),
  ];
  expect(outcomes(["a", "a", "a", "a", "b", "b"].map((client) => admit([wide, narrow], get(), client)))).toBe("++--+-");
});

it("forgets the caller that was last seen longest ago, beyond 10,000", () => {
  const limiter = new RateLimiter([{ ...perClient, requests: 1, burst: 1 }], clock);
  const admits = (client: string) => admit([limiter], get(), client).kind === "admitted";
  for (let i = 0; i < 10_000; i++) admits(`client-${i}`);
  expect(admits("client-0")).toBe(false);
  admits("one more");
  expect(admits("client-0")).toBe(false);
  expect(admits("client-1")).toBe(true);
});

describe("what the caller learns", () => {
  it("is the state of the limit that is nearest to exhaustion", () => {
    const limiter = new RateLimiter(
      [
        { ...overall, requests: 60, perMs: 60_000, burst: 5 },
        { ...perClient, burst: 9 },
      ],
      clock,
    );
    const verdict = admit([limiter], get(), "a");
    expect(verdict.tightest && formatRateLimit(verdict.tightest)).toEqual({
      policy: '"all";q=60;w=60',
      state: '"all";r=4',
    });
  });

  it("includes a time if nothing is left", () => {
    expect(formatRateLimit({ limit: overall, remaining: 0, nextInMs: 1200 })).toEqual({
      policy: '"all";q=2;w=1',
      state: '"all";r=0;t=2',
    });
  });

  it("never asks to come back at once", () => {
    expect(formatRetryAfter(0)).toBe("1");
    expect(formatRetryAfter(1000)).toBe("1");
    expect(formatRetryAfter(1001)).toBe("2");
  });
});
