import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { a, b, backend, endpoints, name } from "./backends.ts";
import { trippy } from "./endpoints.ts";

it("opens no more breakers than the policy allows", () => {
  const { one, ask, answer, transitions } = backend();
  one.apply(endpoints([a, b], { ...trippy, maxOpenPercent: 50 }));
  for (let i = 0; i < 6; i++) {
    const { exchange } = ask();
    answer(String(exchange.endpoint), 500);
  }
  expect(transitions).toHaveLength(1);
});

it("records the state of the breaker that admitted a request, or of those that admitted none", () => {
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

it("opens for all endpoints together if the policy's scope is the service", () => {
  const { one, ask, answer, transitions } = backend();
  one.apply(endpoints([a, b], { ...trippy, scope: "service" }));
  const { exchange } = ask();
  answer(String(exchange.endpoint), 500);
  expect(transitions).toEqual([`${name} * open`]);
  expect(ask().calls).toEqual([["abort", "circuit_open"]]);
});

describe("maxRequests", () => {
  it("limits the requests in progress at each endpoint", () => {
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

  it("is not the reason given when a breaker is open", () => {
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

  it("limits the requests with a connection of their own: HTTP/1.1, tunnels, upgrades", () => {
    const heads: Partial<RequestHead>[] = [{}, { method: "CONNECT" }, { upgrade: "websocket" }];
    for (const head of heads) {
      const { one, ask, overloads } = backend();
      one.apply(endpoints([a], limited));
      ask(undefined, head);
      expect(ask(undefined, head).calls).toEqual([["abort", "overloaded"]]);
      expect(overloads).toEqual([`${name} maxConnections`]);
    }
  });

  it("does not count requests that share a connection", () => {
    const { one, ask } = backend();
    one.apply(endpoints([a], limited));
    ask();
    for (let i = 0; i < 5; i++) expect(ask(undefined, grpc()).exchange.endpoint).toBe(a.address);
    one.apply(endpoints([a], limited, { protocol: "http2" }));
    expect(ask().exchange.endpoint).toBe(a.address);
  });

  it("admits the next request when one has ended, however it ended", () => {
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

  it("limits how many wait for their turn, first come, first served", async () => {
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

  it("lets no request overtake one that waits", async () => {
    const { one, ask, answer } = backend();
    one.apply(endpoints([a], limited));
    ask();
    const second = ask();
    answer(a.address, 200);
    const third = ask();
    await settled();
    expect([second.exchange.endpoint, third.exchange.endpoint]).toEqual([a.address, undefined]);
  });

  it("gives the place of a caller that has left to the next", async () => {
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

  it("refuses waiting requests when the last breaker opens or the last endpoint goes", async () => {
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

  it("admits waiting requests when an update makes room", async () => {
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
