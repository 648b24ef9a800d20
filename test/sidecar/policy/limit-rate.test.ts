import { beforeEach, describe, expect, it } from "vitest";
import type { MeshError } from "../../../model/errors.ts";
import type { NamedRateLimits, RateLimit } from "../../../model/policy.ts";
import type { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { limitRate, RateLimiters } from "../../../sidecar/policy/limit-rate.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { rescue } from "../../support/rescue.ts";

const two: RateLimit = { requests: 2, perMs: 1000, burst: 2, by: "all", matches: [] };

let clock: HandClock;
let limiters: RateLimiters;

beforeEach(() => {
  clock = new HandClock();
  limiters = new RateLimiters(clock);
});

function policy(name: string, ...limits: RateLimit[]): NamedRateLimits {
  return { name, limits };
}

/** Undefined: admitted. */
function ask(
  rateLimits: readonly NamedRateLimits[] | undefined,
  head: { method?: string; path?: string } = {},
  port = 1,
) {
  let error: MeshError | undefined;
  const caller = new RecordingCaller();
  caller.abortResponse = (told) => {
    error = told;
  };
  const upstream = new RecordingUpstream();
  const exchange = exchangeOf(head);
  exchange.target = { port, protocol: "http1", ...(rateLimits && { rateLimits }) };
  const sink = limitRate(limiters)(upstream.service)(exchange, caller);
  sink.endRequest();
  expect(upstream.calls.length).toBe(error === undefined ? 1 : 0);
  return error;
}

it("admits everything if no limit applies", () => {
  for (let i = 0; i < 10; i++) expect(ask(undefined)).toBeUndefined();
});

it("refuses requests over the limit as unprocessed, and says when to come back", () => {
  const limits = [policy("shop/a", two)];
  expect([ask(limits), ask(limits)]).toEqual([undefined, undefined]);
  expect(ask(limits)).toMatchObject({ code: "rate_limited", processed: "unprocessed", retryAfterMs: 500 });
  clock.advance(500);
  expect(ask(limits)).toBeUndefined();
});

it("counts one policy over all ports, and a tunnel as a request", () => {
  const limits = () => [policy("shop/a", two)];
  expect(ask(limits(), {}, 1)).toBeUndefined();
  expect(ask(limits(), { method: "CONNECT", path: "" }, 2)).toBeUndefined();
  expect(ask(limits(), {}, 3)?.code).toBe("rate_limited");
});

it("compares path and query separately", () => {
  const reports = [policy("shop/a", { ...two, burst: 1, matches: [{ path: { kind: "exact", value: "/reports" } }] })];
  expect(ask(reports, { path: "/reports?day=1" })).toBeUndefined();
  expect(ask(reports, { path: "/reports?day=2" })?.code).toBe("rate_limited");
  expect(ask(reports, { path: "/report" })).toBeUndefined();
});

it("keeps its buckets over an update that leaves the policy unchanged, and fills those of a changed one", () => {
  ask([policy("shop/a", two)]);
  ask([policy("shop/a", { ...two }), policy("shop/b", two)]);
  expect(ask([policy("shop/a", { ...two })])?.code).toBe("rate_limited");
  expect(ask([policy("shop/a", { ...two, burst: 3 })])).toBeUndefined();
});

describe("RateLimit fields", () => {
  const reports = { ...two, matches: [{ path: { kind: "exact", value: "/reports" } as const }] };

  /** The answer's fields of that kind, given those of the application. */
  function told(limits: readonly NamedRateLimits[], path = "/", own: Record<string, string> = {}): string[] {
    let fields: string[] = [];
    const caller = new RecordingCaller();
    const note = (headers: HeaderFields) => {
      fields = [...headers.all("ratelimit-policy"), ...headers.all("ratelimit")];
    };
    caller.head = ({ headers }) => note(headers);
    const upstream = new RecordingUpstream();
    const exchange = exchangeOf({ path });
    exchange.target = { port: 1, protocol: "http1", rateLimits: limits };
    rescue()(limitRate(limiters)(upstream.service))(exchange, caller).endRequest();
    if (upstream.calls.length > 0) upstream.response.head(responseHead(200, own));
    return fields;
  }

  it("show the limit before it is reached, and when it is", () => {
    const limits = [policy("shop/a", two)];
    expect(told(limits)).toEqual(['"all";q=2;w=1', '"all";r=1']);
    expect(told(limits)).toEqual(['"all";q=2;w=1', '"all";r=0;t=1']);
    expect(told(limits)).toEqual(['"all";q=2;w=1', '"all";r=0;t=1']);
  });

  it("show the nearest limit, of those that count the request", () => {
    const limits = [policy("shop/a", { ...two, requests: 100, burst: 100 }, reports)];
    expect(told(limits)).toEqual(['"all";q=100;w=1', '"all";r=99']);
    expect(told(limits, "/reports")).toEqual(['"all";q=2;w=1', '"all";r=1']);
    expect(told([policy("shop/b", reports)])).toEqual([]);
  });

  it("leave the application's own in place", () => {
    expect(told([policy("shop/a", two)], "/", { ratelimit: '"app";r=7' })).toEqual([
      '"all";q=2;w=1',
      '"app";r=7',
      '"all";r=1',
    ]);
  });
});
