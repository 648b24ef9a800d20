import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Exchange, RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { CallsInFlight, continueCall, serveCall, type Vouch } from "../../../sidecar/policy/calls-in-flight.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const traceOf = (digit: string): Partial<RequestHead> => ({
  headers: new HeaderFields(["traceparent", `00-${digit.padStart(32, digit)}-00f067aa0ba902b7-00`]),
});

/** What this pod's application serves, and what it asks of others meanwhile. */
function pod() {
  const calls = new CallsInFlight();
  let lost = 0;
  const serve = (trace: string, prepare: { deadlineAtMs?: number; callerAttempt?: number } = {}) => {
    const application = new RecordingUpstream();
    const caller = new RecordingCaller();
    const retried: (string | undefined)[] = [];
    caller.head = ({ headers }) => retried.push(headers.get("tulle-retried"));
    const exchange = Object.assign(exchangeOf(traceOf(trace)), prepare);
    const sink = serveCall(calls)(application.service)(exchange, caller);
    return { exchange, sink, application, response: application.response, retried };
  };
  const send = (exchange: Exchange) => {
    continueCall(calls, () => lost++)(new RecordingUpstream().service)(exchange, new RecordingCaller());
    return exchange;
  };
  const ask = (trace: string, deadlineAtMs = Number.POSITIVE_INFINITY) =>
    send(Object.assign(exchangeOf(traceOf(trace)), { deadlineAtMs }));
  /** Without a context: this sidecar has begun the trace. */
  const askAnew = (trace: string) => send(Object.assign(exchangeOf(traceOf(trace)), { beginsTrace: true }));
  return { calls, serve, ask, askAnew, lost: () => lost };
}

describe("a request of the application", () => {
  it("inherits deadline and attempt from the request being served, by its trace", () => {
    const { serve, ask } = pod();
    serve("a", { deadlineAtMs: 500, callerAttempt: 2 });
    serve("b", { deadlineAtMs: 900 });
    const { deadlineAtMs, callerAttempt } = ask("a");
    expect([deadlineAtMs, callerAttempt]).toEqual([500, 2]);
    expect([ask("b").deadlineAtMs, ask("b").callerAttempt]).toEqual([900, 1]);
  });

  it("may be given less time by the application, but not more", () => {
    const { serve, ask } = pod();
    serve("a", { deadlineAtMs: 500 });
    expect([ask("a", 300).deadlineAtMs, ask("a", 700).deadlineAtMs]).toEqual([300, 500]);
  });

  it("inherits nothing, and is counted as lost, if it has no trace context while others are being served", () => {
    const { serve, askAnew, lost } = pod();
    askAnew("a");
    expect(lost()).toBe(0);
    const served = serve("b", { deadlineAtMs: 500 });
    expect([askAnew("a").deadlineAtMs, askAnew("c").origin, lost()]).toEqual([Number.POSITIVE_INFINITY, undefined, 2]);
    served.response.endResponse();
    askAnew("d");
    expect(lost()).toBe(2);
  });

  it("inherits nothing, and is not counted, if it has the context of another trace", () => {
    const { serve, ask, lost } = pod();
    serve("b", { deadlineAtMs: 500 });
    expect([ask("a").deadlineAtMs, ask("a").origin, lost()]).toEqual([Number.POSITIVE_INFINITY, undefined, 0]);
  });

  it("has no deadline once the response being served is open-ended", () => {
    const { serve, ask } = pod();
    const { response } = serve("a", { deadlineAtMs: 500 });
    response.head(responseHead(200, { "content-type": "text/event-stream" }));
    expect(ask("a").deadlineAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("reports its retries to the request being served, and they travel up with the response", () => {
    const { serve, ask } = pod();
    const { response, retried } = serve("a");
    ask("a").origin?.retriedBelow(2);
    ask("a").origin?.retriedBelow(0);
    response.head(responseHead(503));
    expect(retried).toEqual(["2"]);
  });
});

describe("calls of one trace", () => {
  it("can't be told apart: the latest deadline and the lowest attempt apply, and retries are reported to all", () => {
    const { serve, ask } = pod();
    const calls = [
      serve("a", { deadlineAtMs: 500, callerAttempt: 2 }),
      serve("a", { deadlineAtMs: 900, callerAttempt: 3 }),
      serve("a", { deadlineAtMs: 700, callerAttempt: 2 }),
    ];
    expect([ask("a").deadlineAtMs, ask("a").callerAttempt]).toEqual([900, 2]);
    ask("a").origin?.retriedBelow(1);
    for (const { response } of calls) response.head(responseHead(503));
    expect(calls.map(({ retried }) => retried)).toEqual([["1"], ["1"], ["1"]]);
  });

  it("are not affected by retries for earlier calls", () => {
    const { serve, ask } = pod();
    const first = serve("a");
    const { origin } = ask("a");
    const later = serve("a");
    origin?.retriedBelow(2);
    for (const { response } of [first, later]) response.head(responseHead(503));
    expect([first.retried, later.retried]).toEqual([["2"], [undefined]]);
  });

  it("are not retained once they have ended", async () => {
    const { serve, ask } = pod();
    const serveOne = () => {
      const { exchange, response } = serve("a");
      const longer = ask("a");
      response.endResponse();
      return { ended: new WeakRef(exchange), longer };
    };
    const { ended, longer } = serveOne();
    // A WeakRef holds what it was made of to the end of the turn.
    await new Promise(setImmediate);
    collectGarbage();
    expect(longer.origin).toBeDefined();
    expect(ended.deref()).toBeUndefined();
  });

  it("end one by one, in any order", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
    ]) {
      const { calls, serve, ask } = pod();
      const served = [100, 200, 300].map((deadlineAtMs) => serve("a", { deadlineAtMs }));
      const left = new Set([100, 200, 300]);
      for (const place of order) {
        expect(ask("a").deadlineAtMs).toBe(Math.max(...left));
        served[place]?.response.endResponse();
        left.delete((place + 1) * 100);
      }
      expect(calls.isEmpty).toBe(true);
    }
  });
});

it("calls of many traces are each found by their own trace", () => {
  const traces = Array.from({ length: 3_000 }, (_, i) => (i * 7_919).toString(16).padStart(32, "0"));
  const { calls, serve, ask } = pod();
  const served = traces.map((trace, i) => serve(trace, { deadlineAtMs: i + 1 }));
  expect(traces.map((trace) => ask(trace).deadlineAtMs)).toEqual(traces.map((_, i) => i + 1));
  for (const [i, { response }] of served.entries()) if (i % 2 === 0) response.endResponse();
  const left = traces.map((_, i) => (i % 2 === 0 ? Number.POSITIVE_INFINITY : i + 1));
  expect(traces.map((trace) => ask(trace).deadlineAtMs)).toEqual(left);
  for (const { response } of served) response.endResponse();
  expect(calls.isEmpty).toBe(true);
});

it("remembers 64 calls of one trace, and more when some of those have ended", () => {
  const { serve, ask } = pod();
  const served = Array.from({ length: 64 }, () => serve("a", { deadlineAtMs: 500 }));
  serve("a", { deadlineAtMs: 900 }).response.endResponse();
  expect(ask("a").deadlineAtMs).toBe(500);
  served[0]?.response.endResponse();
  serve("a", { deadlineAtMs: 900 });
  expect(ask("a").deadlineAtMs).toBe(900);
});

describe("what is remembered", () => {
  it("is forgotten however it ends, and once", () => {
    const { calls, serve } = pod();
    const gone = new MeshError("upstream_closed", "");
    const [a, b, c] = [serve("a"), serve("b"), serve("c")];
    a.response.endResponse();
    b.response.abortResponse(gone);
    c.sink.abortRequest(gone);
    a.sink.abortRequest(gone);
    expect(calls.isEmpty).toBe(true);
  });

  it("is bounded: requests beyond the limit are served all the same", () => {
    const { serve, ask } = pod();
    for (let i = 0; i < 10_000; i++) serve(i.toString(16).padStart(32, "0"));
    const { response, retried } = serve("b");
    expect(ask("b").origin).toBeUndefined();
    response.head(responseHead(200));
    expect(retried).toEqual([undefined]);
  });
});

describe("an application", () => {
  function serving(vouch?: Vouch) {
    const application = new RecordingUpstream();
    const caller = new RecordingCaller();
    const heads: string[][] = [];
    caller.head = caller.informational = ({ headers }) => heads.push(headers.flat);
    serveCall(new CallsInFlight(), vouch)(application.service)(exchangeOf(), caller);
    return { response: application.response, caller, heads };
  }

  it("can't send the mesh's own fields, neither with a 1xx nor with the response", () => {
    const { response, heads } = serving();
    response.informational(responseHead(103, { link: "a", "tulle-error": "forbidden" }));
    response.head(responseHead(503, { "tulle-error": "circuit_open", server: "b", "tulle-retried": "2" }));
    expect(heads).toEqual([
      ["link", "a"],
      ["server", "b"],
    ]);
  });

  it("gets the fields added to its response that the mesh vouches for", () => {
    const { response, heads } = serving(({ method }, { headers }) => headers.set("tulle-connection", method));
    response.head(responseHead(200, { "tulle-connection": "mine" }));
    expect(heads).toEqual([["tulle-connection", "GET"]]);
  });

  it.each([
    ["connect_failed", "refused_stream unprocessed"],
    ["connect_timeout", "refused_stream unprocessed"],
    ["upstream_reset", "upstream_reset maybe"],
  ] as const)("has processed nothing if it accepted no connection: %s", (code, told) => {
    const { response, caller } = serving();
    const errors: string[] = [];
    caller.abortResponse = (error) => errors.push(`${error.code} ${error.processed}`);
    response.abortResponse(new MeshError(code, ""));
    expect(errors).toEqual([told]);
  });
});
