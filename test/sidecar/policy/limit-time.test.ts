import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Layer, RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { limitTime, limitTry } from "../../../sidecar/policy/limit-time.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

/** A wheel that knows how many timers are armed. */
class CountingWheel extends TimerWheel {
  readonly armed = new Set<object>();

  override arm(...[timer, delayMs]: Parameters<TimerWheel["arm"]>): void {
    super.arm(timer, delayMs);
    this.armed.add(timer);
  }

  override clear(...[timer]: Parameters<TimerWheel["clear"]>): void {
    super.clear(timer);
    this.armed.delete(timer);
  }
}

function timed() {
  const clock = new HandClock(1_000);
  const wheel = new CountingWheel(clock, { drive: false });
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const start = (layer: Layer, head: Partial<RequestHead> = {}, deadlineAtMs = Number.POSITIVE_INFINITY) => {
    const caller = new RecordingCaller();
    const upstream = new RecordingUpstream();
    const exchange = exchangeOf(head);
    exchange.deadlineAtMs = deadlineAtMs;
    const sink = layer(upstream.service)(exchange, caller);
    return { caller, upstream, exchange, sink };
  };
  return { clock, wheel, pass, start };
}

const gone = new MeshError("upstream_closed", "");

describe("the timeout of a request", () => {
  it("aborts both ways when it is over, and neither end receives anything later", () => {
    const time = timed();
    const { caller, upstream, sink } = time.start(limitTime({ requestMs: 500 }, time));
    time.pass(499);
    expect(caller.calls).toEqual([]);
    time.pass(20);
    expect(caller.calls).toEqual([["abort", "request_timeout"]]);
    expect(upstream.calls).toEqual([["abort", "request_timeout"]]);
    upstream.response.head(responseHead(200));
    upstream.response.abortResponse(gone);
    sink.writeRequest(Buffer.from("late"));
    sink.abortRequest(gone);
    expect([caller.calls.length, upstream.calls.length]).toEqual([1, 1]);
    expect(time.wheel.armed.size).toBe(0);
  });

  it("runs until the last byte of the response", () => {
    const time = timed();
    const { caller, upstream } = time.start(limitTime({ requestMs: 500 }, time));
    upstream.response.head(responseHead(200));
    upstream.response.writeResponse(Buffer.from("half"));
    time.pass(520);
    expect(caller.calls.at(-1)).toEqual(["abort", "request_timeout"]);
  });

  it("does not exist without a policy and a caller's deadline", () => {
    const time = timed();
    time.start(limitTime({}, time));
    expect(time.wheel.armed.size).toBe(0);
  });

  it("gives way to a shorter deadline of the caller, and is then named after it", () => {
    const time = timed();
    const { caller, exchange } = time.start(limitTime({ requestMs: 500 }, time), {}, 1_200);
    expect(exchange.deadlineAtMs).toBe(1_200);
    time.pass(220);
    expect(caller.calls).toEqual([["abort", "deadline_exceeded"]]);
  });

  it("is not lengthened by a caller that would wait longer", () => {
    const time = timed();
    const { caller, exchange } = time.start(limitTime({ requestMs: 500 }, time), {}, 99_000);
    expect(exchange.deadlineAtMs).toBe(1_500);
    time.pass(520);
    expect(caller.calls).toEqual([["abort", "request_timeout"]]);
  });

  it.each([1_000, 999, 0])(
    "refuses a request that was late on arrival (deadline %d, now 1000) before anyone sees it",
    (at) => {
      const time = timed();
      const { caller, upstream, sink } = time.start(limitTime({}, time), {}, at);
      sink.writeRequest(Buffer.from("body"));
      sink.endRequest();
      expect(caller.calls).toEqual([["abort", "deadline_exceeded"]]);
      expect(() => upstream.exchange).toThrow("no request");
      expect(time.wheel.armed.size).toBe(0);
    },
  );
});

describe("the timeout of a try", () => {
  it("aborts with a code of its own, and names the endpoint", () => {
    const time = timed();
    const { caller, upstream } = time.start(limitTry(100, time.wheel));
    time.pass(120);
    expect(caller.calls).toEqual([["abort", "try_timeout"]]);
    expect(upstream.calls).toEqual([["abort", "try_timeout"]]);
  });

  it("adds no layer if no policy sets one", () => {
    const next = new RecordingUpstream().service;
    expect(limitTry(undefined, timed().wheel)(next)).toBe(next);
  });
});

describe("a limit in time", () => {
  const layers = (time: ReturnType<typeof timed>) =>
    [limitTime({ requestMs: 500 }, time), limitTry(500, time.wheel), limitTime({ idleMs: 500 }, time)] as const;

  it("leaves no timer armed, however the exchange ends", () => {
    for (const which of [0, 1, 2] as const) {
      const time = timed();
      const answered = time.start(layers(time)[which]);
      answered.sink.endRequest();
      answered.upstream.response.head(responseHead(200));
      answered.upstream.response.endResponse();
      const answeredEarly = time.start(layers(time)[which]);
      answeredEarly.upstream.response.head(responseHead(200));
      answeredEarly.upstream.response.endResponse();
      answeredEarly.sink.endRequest();
      time.start(layers(time)[which]).upstream.response.abortResponse(gone);
      const aborted = time.start(layers(time)[which]);
      aborted.sink.abortRequest(gone);
      aborted.sink.writeRequest(Buffer.from("late"));
      expect(time.wheel.armed.size).toBe(0);
    }
  });

  it("leaves no timer armed when the response or the error comes before the service returns", () => {
    for (const which of [0, 1, 2] as const) {
      const time = timed();
      const caller = new RecordingCaller();
      const answering = layers(time)[which]((_exchange, response) => {
        response.head(responseHead(200));
        response.endResponse();
        return new RecordingUpstream();
      });
      answering(exchangeOf(), caller).endRequest();
      const aborting = layers(time)[which]((_exchange, response) => {
        response.abortResponse(gone);
        return new RecordingUpstream();
      });
      aborting(exchangeOf(), caller).endRequest();
      expect(time.wheel.armed.size).toBe(0);
      time.pass(1_000);
      expect(caller.calls).toEqual([
        ["head", 200],
        ["end", []],
        ["abort", "upstream_closed"],
      ]);
    }
  });

  it.each([
    ["a 101", { upgrade: "websocket" }, responseHead(101)],
    ["an open tunnel", { method: "CONNECT" }, responseHead(200)],
    ["server-sent events", {}, responseHead(200, { "content-type": "Text/Event-Stream; charset=utf-8" })],
  ])("is released by %s, which has no last byte to wait for", (_what, request, head) => {
    const time = timed();
    for (const layer of [limitTime({ requestMs: 500 }, time), limitTry(500, time.wheel)]) {
      const { caller, upstream } = time.start(layer, request);
      upstream.response.head(head);
      time.pass(1_000);
      upstream.response.writeResponse(Buffer.from("on and on"));
      expect(caller.calls.map(([name]) => name)).toEqual(["head", "write"]);
    }
    expect(time.wheel.armed.size).toBe(0);
  });

  it.each([
    ["a refused tunnel", { method: "CONNECT" }, responseHead(503)],
    ["an ordinary answer", {}, responseHead(200, { "content-type": "text/event-streaming" })],
  ])("stays armed after %s", (_what, request, head) => {
    const time = timed();
    const { caller, upstream } = time.start(limitTime({ requestMs: 500 }, time), request);
    upstream.response.head(head);
    time.pass(520);
    expect(caller.calls.at(-1)).toEqual(["abort", "request_timeout"]);
  });
});

describe("the idle limit", () => {
  it("ends exchanges that are silent both ways, and nothing else", () => {
    const time = timed();
    const { caller, upstream, sink } = time.start(limitTime({ idleMs: 100 }, time));
    const moves = [
      () => sink.writeRequest(Buffer.from("a")),
      () => upstream.response.informational(responseHead(103)),
      () => upstream.response.head(responseHead(200)),
      () => upstream.response.writeResponse(Buffer.from("b")),
      () => sink.endRequest(),
    ];
    for (const move of moves) {
      time.pass(90);
      move();
    }
    time.pass(90);
    expect(caller.calls.map(([name]) => name)).toEqual(["informational", "head", "write"]);
    time.pass(30);
    expect(caller.calls.at(-1)).toEqual(["abort", "idle_timeout"]);
    expect(upstream.calls.at(-1)).toEqual(["abort", "idle_timeout"]);
  });

  it("applies to a tunnel, and to its remaining half when the other has ended", () => {
    const time = timed();
    const { caller, upstream, sink } = time.start(limitTime({ idleMs: 100 }, time), { method: "CONNECT" });
    upstream.response.head(responseHead(200));
    upstream.response.endResponse();
    time.pass(90);
    sink.writeRequest(Buffer.from("still here"));
    time.pass(90);
    expect(caller.calls.at(-1)).toEqual(["end", []]);
    time.pass(30);
    expect(upstream.calls.at(-1)).toEqual(["abort", "idle_timeout"]);
  });

  it("ends a silence before the request's own time is over, and after that", () => {
    const time = timed();
    const both = limitTime({ requestMs: 500, idleMs: 100 }, time);
    const silent = time.start(both);
    const stream = time.start(both);
    const events = new HeaderFields(["content-type", "text/event-stream"]);
    stream.upstream.response.head({ status: 200, headers: events, bodyless: false });
    time.pass(60);
    for (let sent = 0; sent < 10; sent++) {
      stream.upstream.response.writeResponse(Buffer.from("data: now\n\n"));
      time.pass(60);
    }
    expect(silent.caller.calls).toEqual([["abort", "idle_timeout"]]);
    expect(stream.caller.calls.at(-1)?.[0]).toBe("write");
    time.pass(60);
    expect(stream.caller.calls.at(-1)).toEqual(["abort", "idle_timeout"]);
  });

  it("does not affect a request that keeps moving", () => {
    const time = timed();
    const { caller, sink } = time.start(limitTime({ requestMs: 500, idleMs: 100 }, time));
    for (let sent = 0; sent < 9; sent++) {
      sink.writeRequest(Buffer.from("more"));
      time.pass(60);
    }
    expect(caller.calls.at(-1)).toEqual(["abort", "request_timeout"]);
    expect(time.wheel.armed.size).toBe(0);
  });
});
