import { describe, expect, it } from "vitest";
import { defaultRetryBudget } from "../../../model/defaults.ts";
import type { MeshError } from "../../../model/errors.ts";
import { RetryBudget } from "../../../model/retry-budget.ts";
import { Backends } from "../../../sidecar/balance/backends.ts";
import type { ResponseHead } from "../../../sidecar/net/exchange.ts";
import { stack } from "../../../sidecar/net/exchange.ts";
import { retry } from "../../../sidecar/policy/retry.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { rescue } from "../../support/rescue.ts";
import { a, b, backend, endpoints, name } from "./backends.ts";
import { endpointAt, trippy } from "./endpoints.ts";

describe("before the endpoints are known", () => {
  it("holds requests, and forwards them once the endpoints are known", () => {
    const { one, ask, answer } = backend();
    const { sink, calls } = ask();
    sink.endRequest();
    expect(calls).toEqual([]);
    one.apply(endpoints([a]));
    answer(a.address, 200);
    expect(calls).toEqual([
      ["head", 200],
      ["end", []],
    ]);
  });

  it("refuses held requests after a second without an answer, and holds later ones", () => {
    const { one, ask, pass, answer } = backend();
    const first = ask();
    pass(999);
    expect(first.calls).toEqual([]);
    pass(20);
    expect(first.calls).toEqual([["abort", "no_policy_yet"]]);
    const next = ask();
    pass(500);
    one.apply(endpoints([a]));
    pass(5_000);
    answer(a.address, 200);
    expect(next.calls[0]).toEqual(["head", 200]);
  });

  it("refuses held requests when the backend is no longer followed", () => {
    const { one, ask } = backend();
    const { calls } = ask();
    one.close();
    expect(calls).toEqual([["abort", "no_policy_yet"]]);
  });
});

describe("without a usable endpoint", () => {
  it("answers at once that there is none", () => {
    const { one, ask } = backend();
    one.apply(undefined);
    expect(ask().calls).toEqual([["abort", "no_endpoints"]]);
    one.apply(endpoints([]));
    expect(ask().calls).toEqual([["abort", "no_endpoints"]]);
  });

  it("answers at once that all breakers are open, with the time of the next probe, and costs no retry", () => {
    const { one, ask, answer, clock, wheel, random, transitions } = backend();
    one.apply(endpoints([a], trippy));
    ask();
    answer(a.address, 500);
    expect(transitions).toEqual([`${name} ${a.address} open`]);
    clock.advance(4_000);
    const counted: string[] = [];
    const withRetry = stack(
      [
        rescue(),
        retry({
          policy: undefined,
          budget: new RetryBudget(defaultRetryBudget, clock),
          wheel,
          clock,
          random,
          unixNow: () => 0,
          counts: { retried: (reason) => counted.push(`retried ${reason}`), notRetried: (why) => counted.push(why) },
          tries: { answered() {}, failed() {}, abandoned() {} },
        }),
      ],
      one.service,
    );
    const caller = new RecordingCaller();
    let head: ResponseHead | undefined;
    caller.head = (given) => {
      head = given;
    };
    withRetry(exchangeOf(), caller);
    expect([head?.status, head?.headers.get("tulle-error"), head?.headers.get("retry-after")]).toEqual([
      503,
      "circuit_open",
      "26",
    ]);
    expect(counted).toEqual(["not_retryable"]);
  });

  it("names a second if it only knows that a probe is in progress", () => {
    const { one, ask, answer, clock } = backend();
    one.apply(endpoints([a], trippy));
    ask();
    answer(a.address, 500);
    clock.advance(30_000);
    ask();
    const caller = new RecordingCaller();
    const errors: MeshError[] = [];
    caller.abortResponse = (error) => errors.push(error);
    one.service(exchangeOf(), caller);
    expect(errors.map(({ code, retryAfterMs }) => [code, retryAfterMs])).toEqual([["circuit_open", 1_000]]);
  });
});

describe("an update", () => {
  it("keeps the load and breaker of endpoints that stay, and dials only new ones", () => {
    const { one, ask, answer, dialled } = backend();
    one.apply(endpoints([a], trippy));
    ask();
    answer(a.address, 500);
    const [before] = one.liveEndpoints;
    one.apply(endpoints([{ ...a, zone: "west" }, b], { ...trippy }));
    const [after] = one.liveEndpoints;
    expect(after).toBe(before);
    expect([after?.breakerState, after?.endpoint.zone]).toEqual(["open", "west"]);
    expect(dialled).toEqual([a.address, b.address]);
    for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(b.address);
  });

  it("treats another identity at the same address as another endpoint", () => {
    const { one, dialled } = backend();
    one.apply(endpoints([{ ...a, identity: "spiffe://cluster.local/ns/shop/sa/old" }]));
    one.apply(endpoints([{ ...a, identity: "spiffe://cluster.local/ns/shop/sa/new" }]));
    expect(dialled).toEqual([a.address, a.address]);
  });

  it("starts another policy with closed breakers", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], trippy));
    ask();
    answer(a.address, 500);
    one.apply(endpoints([a], { ...trippy, openDurationMs: 1_000 }));
    expect([...one.liveEndpoints].map(({ breakerState }) => breakerState)).toEqual(["closed"]);
    one.apply(endpoints([a]));
    expect([...one.liveEndpoints].map(({ breakerState }) => breakerState)).toEqual([undefined]);
  });

  it("does not touch requests in progress", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a]));
    const { calls } = ask();
    one.apply(endpoints([b]));
    answer(a.address, 200);
    expect(calls[0]).toEqual(["head", 200]);
  });
});

it("uses terminating endpoints only if there are no others", () => {
  const { one, ask } = backend();
  one.apply(endpoints([{ ...a, state: "terminating" }, b]));
  for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(b.address);
  one.apply(endpoints([{ ...a, state: "terminating" }]));
  expect(ask().exchange.endpoint).toBe(a.address);
});

describe("an endpoint's location", () => {
  const [west, east] = [
    { ...a, zone: "west", forZones: ["west"] },
    { ...b, zone: "east", forZones: ["east"] },
  ];

  it("decides which endpoint is preferred, and which one is the fallback while that one's breaker is open", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([west, east], trippy));
    for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(west.address);
    answer(west.address, 500);
    expect(ask().exchange.endpoint).toBe(east.address);
  });

  it("counts again when hints change", () => {
    const { one, ask } = backend();
    one.apply(endpoints([west, east]));
    one.apply(endpoints([west, { ...east, forZones: ["west"] }]));
    const asked = new Set(Array.from({ length: 50 }, () => ask().exchange.endpoint));
    expect(asked.size).toBe(2);
  });

  it("is decisive for a Service with internalTrafficPolicy Local", () => {
    const { one, ask } = backend();
    one.apply(
      endpoints(
        [
          { ...a, node: "node-2" },
          { ...b, node: "node-1" },
        ],
        undefined,
        { nodeLocal: true },
      ),
    );
    for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(b.address);
    one.apply(endpoints([{ ...a, node: "node-2" }], undefined, { nodeLocal: true }));
    expect(ask().calls).toEqual([["abort", "no_endpoints"]]);
  });
});

describe("a session", () => {
  const many = Array.from({ length: 10 }, (_, i) => endpointAt(`10.0.1.${i}:80`));
  const session = { affinityMs: 10_000 };

  it("stays at one endpoint until nothing was sent for its time", () => {
    const { one, ask, pass } = backend();
    one.apply(endpoints(many, undefined, session));
    const first = ask().exchange.endpoint;
    for (let i = 0; i < 50; i++) {
      pass(9_999);
      expect(ask().exchange.endpoint).toBe(first);
    }
    const later = new Set(
      Array.from({ length: 20 }, () => {
        pass(10_000);
        return ask().exchange.endpoint;
      }),
    );
    expect(later.size).toBeGreaterThan(2);
  });

  it("survives an update, and starts again if its endpoint is gone", () => {
    const { one, ask } = backend();
    one.apply(endpoints(many, undefined, session));
    const first = ask().exchange.endpoint;
    one.apply(endpoints([...many, b], undefined, session));
    expect(ask().exchange.endpoint).toBe(first);
    one.apply(
      endpoints(
        many.filter(({ address }) => address !== first),
        undefined,
        session,
      ),
    );
    const second = ask().exchange.endpoint;
    expect(second).not.toBe(first);
    one.apply(endpoints(many, undefined, session));
    expect(ask().exchange.endpoint).toBe(second);
  });

  it("moves on when its endpoint's breaker is open, and stays there", () => {
    const { one, ask, answer, pass } = backend();
    one.apply(endpoints(many, trippy, { affinityMs: 100_000 }));
    const first = String(ask().exchange.endpoint);
    answer(first, 500);
    const second = ask().exchange.endpoint;
    expect(second).not.toBe(first);
    pass(60_000);
    expect(ask().exchange.endpoint).toBe(second);
  });

  it("is not moved by a retry, which goes elsewhere", () => {
    const { one, ask } = backend();
    one.apply(endpoints(many, undefined, session));
    const first = String(ask().exchange.endpoint);
    expect(ask([first]).exchange.endpoint).not.toBe(first);
    expect(ask().exchange.endpoint).toBe(first);
  });
});

it("lets endpoints that come later warm up, and not the first ones", () => {
  const { one, clock } = backend();
  one.apply(endpoints([a], undefined, { warmUpMs: 10_000 }));
  one.apply(endpoints([a, b], undefined, { warmUpMs: 10_000 }));
  const warmth = () => Array.from(one.liveEndpoints, (live) => live.warmth);
  expect(warmth()).toEqual([1, 0.1]);
  clock.advance(5_000);
  expect(warmth()).toEqual([1, 0.5]);
  one.apply(endpoints([a, b]));
  expect(warmth()).toEqual([1, 1]);
});

describe("the backends of a sidecar", () => {
  it("are followed once each, and dropped when no destination names them", () => {
    const { options } = backend();
    const followed: string[] = [];
    const backends = new Backends((of) => {
      followed.push(`+${of}`);
      return () => followed.push(`-${of}`);
    }, options);
    const orders = backends.get("orders");
    expect(backends.get("orders")).toBe(orders);
    backends.get("payments");
    const waiting = new RecordingCaller();
    orders.service(exchangeOf(), waiting);
    backends.retain(new Set(["payments"]));
    expect(followed).toEqual(["+orders", "+payments", "-orders"]);
    expect(waiting.calls).toEqual([["abort", "no_policy_yet"]]);
    expect(backends.all.map((each) => each.name)).toEqual(["payments"]);
    expect(backends.get("orders")).not.toBe(orders);
  });
});
