import { beforeEach, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Route } from "../../../model/resources.ts";
import type { Exchange } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { MirrorLimit, mirror } from "../../../sidecar/route/mirror.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const service = { namespace: "shop", name: "shadow" };
const route: Route = {
  name: "HTTPRoute shop/orders rule 0",
  matches: [],
  backends: [],
  timeout: {},
  mirrors: [{ endpoints: "shadow", service, percent: 10 }],
};

let counted: string[];
let drawn: number;
let limit: MirrorLimit;
let clock: HandClock;
let wheel: TimerWheel;
let shadow: RecordingUpstream;
let primary: RecordingUpstream;
let caller: RecordingCaller;

beforeEach(() => {
  counted = [];
  drawn = 0;
  limit = new MirrorLimit({ copies: 1, waitingBytes: 64 * 1024 });
  clock = new HandClock();
  wheel = new TimerWheel(clock, { drive: false });
  [shadow, primary, caller] = [new RecordingUpstream(), new RecordingUpstream(), new RecordingCaller()];
});

function send(exchange: Exchange = exchangeOf()) {
  const layer = mirror(route, {
    backend: () => shadow.service,
    random: () => drawn,
    wheel,
    limit,
    count: (backend, outcome) => counted.push(`${backend} ${outcome}`),
  });
  return layer(primary.service)(exchange, caller);
}

function isFree(): boolean {
  if (!limit.enter()) return false;
  limit.leave();
  return true;
}

it("copies head, body and trailers, and drops the response", () => {
  const headers = new HeaderFields(["x-a", "1", "expect", "100-continue"]);
  const sink = send(exchangeOf({ method: "POST", path: "/orders?a=b", headers, bodyless: false }));
  sink.writeRequest(Buffer.from("one"));
  sink.endRequest(new HeaderFields(["x-sum", "3"]));
  shadow.response.head(responseHead(500));
  shadow.response.writeResponse(Buffer.from("dropped"));
  shadow.response.endResponse();

  const { method, path, authority } = shadow.exchange;
  expect([method, path, authority, shadow.exchange.headers.flat]).toEqual([
    "POST",
    "/orders?a=b",
    "orders.shop:80",
    ["x-a", "1"],
  ]);
  expect(shadow.calls).toEqual(primary.calls);
  expect(caller.calls).toEqual([]);
  expect(counted).toEqual(["shop/shadow answered"]);
  expect(isFree()).toBe(true);
});

it("shares no object with the request that the other one could edit", () => {
  const exchange = exchangeOf();
  send(exchange);
  shadow.exchange.headers.set("tulle-target", "shadow");
  shadow.exchange.endpoint = "shadow";
  expect([exchange.headers.flat, exchange.endpoint]).toEqual([[], undefined]);
});

it.each([
  [0.0999, true],
  [0.1, false],
])("draws %d against 10 percent: %s", (number, copied) => {
  drawn = number;
  send();
  expect(isFree()).toBe(!copied);
});

it.each([{ method: "CONNECT" }, { upgrade: "websocket" }])("does not copy tunnels: %j", (head) => {
  send(exchangeOf(head));
  expect(isFree()).toBe(true);
});

it("limits the copies in progress, and counts those left out", () => {
  send();
  send();
  expect(counted).toEqual(["shop/shadow crowded"]);
});

it("gives up a copy that falls behind its body, and the request continues", () => {
  shadow.takesMore = false;
  const sink = send(exchangeOf({ method: "PUT", bodyless: false }));
  const chunk = Buffer.alloc(40_000);
  expect(sink.writeRequest(chunk)).toBe(true);
  expect(counted).toEqual([]);
  expect(sink.writeRequest(chunk)).toBe(true);
  expect(counted).toEqual(["shop/shadow slow"]);
  sink.writeRequest(chunk);
  sink.endRequest();
  expect(shadow.calls.map(([name]) => name)).toEqual(["write", "write", "abort"]);
  expect(primary.calls.map(([name]) => name)).toEqual(["write", "write", "write", "end"]);
  expect(isFree()).toBe(true);
});

it("forgets the backlog of a copy once it has caught up", () => {
  shadow.takesMore = false;
  const sink = send(exchangeOf({ method: "PUT", bodyless: false }));
  for (let i = 0; i < 10; i++) {
    sink.writeRequest(Buffer.alloc(40_000));
    shadow.response.resumeRequest();
  }
  expect(counted).toEqual([]);
});

it("never waits for the copy", () => {
  primary.takesMore = false;
  expect(send().writeRequest(Buffer.from("x"))).toBe(false);
});

it("lets a complete copy finish when the caller leaves, and aborts an incomplete one", () => {
  const error = new MeshError("upstream_closed", "gone");
  const half = send(exchangeOf({ bodyless: false }));
  half.abortRequest(error);
  expect(counted).toEqual(["shop/shadow failed"]);
  const whole = send();
  whole.endRequest();
  whole.abortRequest(error);
  expect(counted).toHaveLength(1);
  shadow.response.endResponse();
  expect(counted).toEqual(["shop/shadow failed", "shop/shadow answered"]);
});

it("aborts an incomplete copy when the request fails, since the rest may never come", () => {
  send(exchangeOf({ bodyless: false }));
  primary.response.abortResponse(new MeshError("upstream_reset", "no"));
  expect(shadow.calls).toEqual([["abort", "upstream_reset"]]);
  expect(caller.calls).toEqual([["abort", "upstream_reset"]]);
  expect(isFree()).toBe(true);
});

it("reports a failed copy to nobody", () => {
  const sink = send();
  sink.endRequest();
  shadow.response.abortResponse(new MeshError("no_endpoints", "shadow"));
  expect(caller.calls).toEqual([]);
  expect(counted).toEqual(["shop/shadow failed"]);
  expect(isFree()).toBe(true);
});

it("ends a copy that was answered early when its body ends", () => {
  const sink = send(exchangeOf({ bodyless: false }));
  shadow.response.endResponse();
  sink.writeRequest(Buffer.from("rest"));
  sink.endRequest();
  expect(shadow.calls).toEqual([
    ["write", "rest"],
    ["end", []],
  ]);
  expect(counted).toEqual(["shop/shadow answered"]);
});

it("gives up a copy that is never answered", () => {
  send().endRequest();
  clock.advance(30_100);
  wheel.advance();
  expect(shadow.calls).toEqual([
    ["end", []],
    ["abort", "request_timeout"],
  ]);
  expect(counted).toEqual(["shop/shadow failed"]);
  expect(isFree()).toBe(true);
});
