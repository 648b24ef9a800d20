import { describe, expect, it } from "vitest";
import { defaultRetryBudget } from "../../../model/defaults.ts";
import { MeshError } from "../../../model/errors.ts";
import type { CircuitBreakerPolicy } from "../../../model/policy.ts";
import type { Endpoint, Endpoints } from "../../../model/resources.ts";
import { RetryBudget } from "../../../model/retry-budget.ts";
import { Backend } from "../../../sidecar/balance/backend.ts";
import { Backends } from "../../../sidecar/balance/backends.ts";
import type { RequestHead, ResponseHead } from "../../../sidecar/net/exchange.ts";
import { stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { rescue } from "../../../sidecar/policy/rescue.ts";
import { retry } from "../../../sidecar/policy/retry.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { endpointAt, trippy } from "./endpoints.ts";

const name = "orders.shop.svc.cluster.local:80";

function endpoints(
  list: readonly Endpoint[],
  breaker?: CircuitBreakerPolicy,
  more: Partial<Endpoints> = {},
): Endpoints {
  const service = { namespace: "shop", name: "orders" };
  return { name, service, protocol: "http1", endpoints: list, ...(breaker !== undefined && { breaker }), ...more };
}

const [a, b] = [endpointAt("10.0.0.1:80"), endpointAt("10.0.0.2:80")];

function backend() {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const random = seededRandom(7);
  const transitions: string[] = [];
  const overloads: string[] = [];
  const dialled: string[] = [];
  const upstreams = new Map<string, RecordingUpstream>();
  const options = {
    caller: "spiffe://cluster.local/ns/shop/sa/web",
    place: { node: "node-1", zone: "west" },
    clock,
    wheel,
    random,
    dial: ({ address }: Endpoint) => {
      dialled.push(address);
      const upstream = new RecordingUpstream();
      upstreams.set(address, upstream);
      return upstream.service;
    },
    onOverload: (of: string, limit: string) => overloads.push(`${of} ${limit}`),
    onBreakerTransition: (of: string, endpoint: string, to: string) => transitions.push(`${of} ${endpoint} ${to}`),
  };
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const one = new Backend(name, options);
  const ask = (tried?: string[], head: Partial<RequestHead> = {}) => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf(head);
    exchange.tried = tried;
    const sink = one.service(exchange, caller);
    return { caller, exchange, sink, calls: caller.calls };
  };
  const answer = (address: string, status: number) => {
    const { response } = upstreams.get(address) as RecordingUpstream;
    response.head(responseHead(status));
    response.endResponse();
  };
  return { clock, wheel, random, pass, options, one, ask, answer, transitions, overloads, dialled, upstreams };
}

describe("before the endpoints are known", () => {
  it("holds requests, and passes them on when they are", () => {
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

  it("refuses them when nobody tells for a second, and holds the next", () => {
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

  it("refuses them when nobody follows it any more", () => {
    const { one, ask } = backend();
    const { calls } = ask();
    one.close();
    expect(calls).toEqual([["abort", "no_policy_yet"]]);
  });
});

describe("without an endpoint that could be asked", () => {
  it("answers at once that there is none", () => {
    const { one, ask } = backend();
    one.apply(undefined);
    expect(ask().calls).toEqual([["abort", "no_endpoints"]]);
    one.apply(endpoints([]));
    expect(ask().calls).toEqual([["abort", "no_endpoints"]]);
  });

  it("answers at once that all breakers are open, with the time of the next probe, and burns no retry", () => {
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

  it("names a second when all it knows is that a probe is out", () => {
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
  it("keeps the load and the breaker of who stays, and dials only who is new", () => {
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

  it("takes another identity at an address for another endpoint", () => {
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

  it("leaves what is under way alone", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a]));
    const { calls } = ask();
    one.apply(endpoints([b]));
    answer(a.address, 200);
    expect(calls[0]).toEqual(["head", 200]);
  });
});

it("asks who is terminating only when nobody else is there", () => {
  const { one, ask } = backend();
  one.apply(endpoints([{ ...a, state: "terminating" }, b]));
  for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(b.address);
  one.apply(endpoints([{ ...a, state: "terminating" }]));
  expect(ask().exchange.endpoint).toBe(a.address);
});

it("opens no more breakers than the policy allows", () => {
  const { one, ask, answer, transitions } = backend();
  one.apply(endpoints([a, b], { ...trippy, maxOpenPercent: 50 }));
  for (let i = 0; i < 6; i++) {
    const { exchange } = ask();
    answer(String(exchange.endpoint), 500);
  }
  expect(transitions).toHaveLength(1);
});

it("says in what state the breaker was that let a request through, or none did", () => {
  const { one, ask, answer, clock } = backend();
  one.apply(endpoints([a], { ...trippy, successThreshold: 1 }));
  const states: (string | undefined)[] = [];
  const askOnce = () => void states.push(ask().exchange.breakerState);
  askOnce();
  answer(a.address, 500);
  askOnce();
  clock.advance(30_000);
  askOnce();
  answer(a.address, 200);
  askOnce();
  one.apply(endpoints([a]));
  askOnce();
  expect(states).toEqual(["closed", "open", "half-open", "closed", undefined]);
});

it("opens for all endpoints together where the policy's scope is the service", () => {
  const { one, ask, answer, transitions } = backend();
  one.apply(endpoints([a, b], { ...trippy, scope: "service" }));
  const { exchange } = ask();
  answer(String(exchange.endpoint), 500);
  expect(transitions).toEqual([`${name} * open`]);
  expect(ask().calls).toEqual([["abort", "circuit_open"]]);
});

describe("maxRequests", () => {
  it("is the most that each endpoint has under way", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a, b], { ...trippy, maxRequests: 2 }));
    const asked = [ask(), ask(), ask(), ask()];
    expect(asked.filter(({ exchange }) => exchange.endpoint === a.address)).toHaveLength(2);
    expect(ask().calls).toEqual([["abort", "overloaded"]]);
    asked[0]?.sink.abortRequest(new MeshError("upstream_closed", ""));
    expect(ask().exchange.endpoint).toBe(asked[0]?.exchange.endpoint);
    answer(b.address, 200);
    expect(ask().exchange.endpoint).toBe(b.address);
  });

  it("is not what keeps requests from who is open", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], { ...trippy, maxRequests: 2 }));
    ask();
    ask();
    answer(a.address, 500);
    expect(ask().calls).toEqual([["abort", "circuit_open"]]);
  });
});

describe("maxConnections", () => {
  const limited = { ...trippy, maxConnections: 1 };
  const grpc = () => ({ headers: new HeaderFields(["content-type", "application/grpc"]) });

  it("is the most that have a connection to the application for themselves: HTTP/1.1, tunnels, what is upgraded", () => {
    const heads: Partial<RequestHead>[] = [{}, { method: "CONNECT" }, { upgrade: "websocket" }];
    for (const head of heads) {
      const { one, ask, overloads } = backend();
      one.apply(endpoints([a], limited));
      ask(undefined, head);
      expect(ask(undefined, head).calls).toEqual([["abort", "overloaded"]]);
      expect(overloads).toEqual([`${name} maxConnections`]);
    }
  });

  it("does not count those that share one", () => {
    const { one, ask } = backend();
    one.apply(endpoints([a], limited));
    ask();
    for (let i = 0; i < 5; i++) expect(ask(undefined, grpc()).exchange.endpoint).toBe(a.address);
    one.apply(endpoints([a], limited, { protocol: "http2" }));
    expect(ask().exchange.endpoint).toBe(a.address);
  });

  it("takes the next when one has ended, however it ended", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], limited));
    const first = ask();
    first.sink.abortRequest(new MeshError("upstream_closed", ""));
    expect(ask().exchange.endpoint).toBe(a.address);
    answer(a.address, 200);
    expect(ask().exchange.endpoint).toBe(a.address);
  });
});

describe("maxPendingRequests", () => {
  const limited = { ...trippy, maxRequests: 1, maxPendingRequests: 2 };
  /** Places are given out after the call that freed them has returned. */
  const settled = () => Promise.resolve();

  it("is how many wait for their turn, first come, first served", async () => {
    const { one, ask, answer, overloads } = backend();
    one.apply(endpoints([a], limited));
    const [, second, third, fourth] = [ask(), ask(), ask(), ask()];
    expect(one.pending).toBe(2);
    expect(fourth.calls).toEqual([["abort", "overloaded"]]);
    expect(overloads).toEqual([`${name} maxPendingRequests`]);
    answer(a.address, 200);
    await settled();
    expect([second.exchange.endpoint, third.exchange.endpoint]).toEqual([a.address, undefined]);
    answer(a.address, 200);
    await settled();
    expect([third.exchange.endpoint, one.pending]).toEqual([a.address, 0]);
    answer(a.address, 200);
    expect(third.calls[0]).toEqual(["head", 200]);
  });

  it("lets nobody overtake who waits", async () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], limited));
    ask();
    const second = ask();
    answer(a.address, 200);
    const third = ask();
    await settled();
    expect([second.exchange.endpoint, third.exchange.endpoint]).toEqual([a.address, undefined]);
  });

  it("gives the place of who went away to the next", async () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], limited));
    const [, second, third] = [ask(), ask(), ask()];
    second.sink.abortRequest(new MeshError("upstream_closed", ""));
    const fourth = ask();
    expect([one.pending, fourth.calls]).toEqual([2, []]);
    answer(a.address, 200);
    await settled();
    expect(third.exchange.endpoint).toBe(a.address);
    expect(second.exchange.endpoint).toBeUndefined();
  });

  it("refuses who waits when the last breaker opens or the last endpoint goes", async () => {
    const open = backend();
    open.one.apply(endpoints([a], limited));
    const [, second] = [open.ask(), open.ask()];
    open.answer(a.address, 500);
    await settled();
    expect(second.calls).toEqual([["abort", "circuit_open"]]);
    const gone = backend();
    gone.one.apply(endpoints([a], limited));
    const [, waiting] = [gone.ask(), gone.ask()];
    gone.one.apply(endpoints([], limited));
    await settled();
    expect(waiting.calls).toEqual([["abort", "no_endpoints"]]);
  });

  it("is moved on by an update that makes room", async () => {
    const { one, ask } = backend();
    one.apply(endpoints([a], limited));
    const [, second, third] = [ask(), ask(), ask()];
    one.apply(endpoints([a, b], limited));
    await settled();
    expect([second.exchange.endpoint, third.exchange.endpoint]).toEqual([b.address, undefined]);
    one.apply(endpoints([a, b]));
    await settled();
    expect(third.exchange.endpoint).toBeDefined();
  });
});

describe("where an endpoint is", () => {
  const [west, east] = [
    { ...a, zone: "west", forZones: ["west"] },
    { ...b, zone: "east", forZones: ["east"] },
  ];

  it("decides who is preferred, and who is asked when that one's breaker is open", () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([west, east], trippy));
    for (let i = 0; i < 20; i++) expect(ask().exchange.endpoint).toBe(west.address);
    answer(west.address, 500);
    expect(ask().exchange.endpoint).toBe(east.address);
  });

  it("is followed when hints change", () => {
    const { one, ask } = backend();
    one.apply(endpoints([west, east]));
    one.apply(endpoints([west, { ...east, forZones: ["west"] }]));
    const asked = new Set(Array.from({ length: 50 }, () => ask().exchange.endpoint));
    expect(asked.size).toBe(2);
  });

  it("is all that counts for a Service whose callers stay on their node", () => {
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

  it("goes on over an update, and begins again where its endpoint is gone", () => {
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

it("lets who comes later warm up, and not who was there at first", () => {
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
  it("are followed once each, and left when nobody names them", () => {
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
