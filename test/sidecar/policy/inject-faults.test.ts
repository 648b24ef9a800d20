import { beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { FaultPolicy } from "../../../model/policy.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { injectFaults } from "../../../sidecar/policy/inject-faults.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const always: FaultPolicy = { untilUnixMs: 1_000_000, matches: [] };
const unavailable: FaultPolicy = { ...always, abort: { kind: "http", status: 503, percent: 100 } };
const slow: FaultPolicy = { ...always, delay: { delayMs: 2_000, percent: 100 } };

let clock: HandClock;
let wheel: TimerWheel;
let caller: RecordingCaller;
let upstream: RecordingUpstream;

beforeEach(() => {
  clock = new HandClock();
  wheel = new TimerWheel(clock, { drive: false });
  caller = new RecordingCaller();
  upstream = new RecordingUpstream();
});

function ask(policy: FaultPolicy | undefined, { method = "POST", unixMs = 0, chance = 0.5 } = {}) {
  const options = { wheel, random: () => chance, unixNow: () => unixMs };
  return injectFaults(policy, options)(upstream.service)(exchangeOf({ method, bodyless: false }), caller);
}

function pass(ms: number): void {
  clock.advance(ms);
  wheel.advance();
}

it("does nothing without a policy, after its end, or if no match applies", () => {
  for (const sink of [
    ask(undefined),
    ask(unavailable, { unixMs: always.untilUnixMs }),
    ask({ ...unavailable, matches: [{ method: "GET" }] }),
  ]) {
    sink.endRequest();
  }
  expect(upstream.calls).toEqual([
    ["end", []],
    ["end", []],
    ["end", []],
  ]);
  expect(caller.calls).toEqual([]);
});

it("aborts a random share of the requests", () => {
  const one: FaultPolicy = { ...always, abort: { kind: "http", status: 503, percent: 1 } };
  ask(one, { chance: 0.01 }).endRequest();
  expect(upstream.calls).toEqual([["end", []]]);
  ask(one, { chance: 0.009 });
  expect(caller.calls[0]).toEqual(["head", 503]);
});

it("answers in the application's place, which sees nothing", () => {
  const sink = ask(unavailable);
  sink.writeRequest(Buffer.from("body"));
  sink.endRequest();
  expect(upstream.calls).toEqual([]);
  expect(caller.calls).toEqual([
    ["head", 503],
    ["write", "A FaultInjection made this request fail.\n"],
    ["end", []],
  ]);
});

it("answers HEAD without a body, and in gRPC's form if the policy names a gRPC status", () => {
  ask(unavailable, { method: "HEAD" });
  ask({ ...always, abort: { kind: "grpc", status: 14, percent: 100 } });
  expect(caller.calls).toEqual([
    ["head", 503],
    ["end", []],
    ["head", 200],
    ["end", []],
  ]);
});

describe("a delayed request", () => {
  it("continues after its delay, with everything that came meanwhile", () => {
    const sink = ask(slow);
    expect(sink.writeRequest(Buffer.from("a"))).toBe(false);
    sink.endRequest();
    pass(1_990);
    expect(upstream.calls).toEqual([]);
    pass(20);
    expect(upstream.calls).toEqual([
      ["write", "a"],
      ["end", []],
    ]);
    upstream.response.head(responseHead(200));
    expect(caller.calls).toEqual([["head", 200]]);
  });

  it("fails after its delay if it is also aborted", () => {
    ask({ ...slow, ...unavailable, delay: slow.delay ?? { delayMs: 0, percent: 0 } });
    pass(1_000);
    expect(caller.calls).toEqual([]);
    pass(1_010);
    expect(caller.calls[0]).toEqual(["head", 503]);
  });

  it("is forgotten when its caller gives up", () => {
    ask(slow).abortRequest(new MeshError("try_timeout", "gone"));
    pass(3_000);
    expect([upstream.calls, caller.calls]).toEqual([[], []]);
  });
});
