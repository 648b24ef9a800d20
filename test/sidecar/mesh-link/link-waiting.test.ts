import { describe, expect, it } from "vitest";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { gone, linked } from "./hand-link.ts";

describe("too many waiting requests", () => {
  it("are refused, not counting those whose callers have left", () => {
    const { ask } = linked();
    const waiting = Array.from({ length: 1_024 }, () => ask());
    expect(ask().calls).toEqual([["abort", "link_saturated"]]);
    waiting[7]?.sink.abortRequest(gone);
    expect(ask().calls).toEqual([]);
    expect(ask().calls).toEqual([["abort", "link_saturated"]]);
  });

  it("are refused after 5 s each, unless a stream is freed before", () => {
    const { ask, dial, pass } = linked(1);
    for (let i = 0; i < 4; i++) ask();
    const connections = Array.from({ length: 4 }, (_, i) => dial(i).succeed());
    const [served, early] = [ask(), ask()];
    pass(3_000);
    const late = ask();
    connections[0]?.endStream();
    pass(1_990);
    expect([served.calls, early.calls]).toEqual([[], []]);
    pass(20);
    expect([served.calls, early.calls, late.calls]).toEqual([[], [["abort", "link_saturated"]], []]);
    pass(2_990);
    expect(late.calls).toEqual([["abort", "link_saturated"]]);
    const last = ask();
    connections[1]?.endStream();
    pass(10_000);
    expect(last.calls).toEqual([]);
  });

  it("are refused if a connection that took longer than that has no stream for them", () => {
    const { ask, dial, pass } = linked(1);
    const [first, second] = [ask(), ask()];
    pass(5_010);
    expect([first.calls, second.calls]).toEqual([[], []]);
    const connection = dial(0).succeed();
    expect(connection.requests).toEqual([first.exchange]);
    expect(second.calls).toEqual([["abort", "link_saturated"]]);
  });

  it("leave no dial pending once each has a stream before the backoff is over", () => {
    const { ask, dial, dials, pass } = linked(1);
    ask();
    const connection = dial(0).succeed();
    const gave = ask();
    dial(1).fail();
    const waits = ask();
    gave.sink.abortRequest(gone);
    connection.endStream();
    expect(connection.requests.at(-1)).toBe(waits.exchange);
    pass(1_000);
    expect(dials).toHaveLength(2);
  });

  it("get no connection once they have gone", () => {
    const { ask, dial, dials, pass } = linked(1);
    ask();
    dial(0).succeed();
    const [second, third] = [ask(), ask()];
    dial(1).fail();
    ask().sink.abortRequest(gone); // which came in the backoff
    for (const { sink } of [second, third]) sink.abortRequest(gone);
    pass(1_000);
    expect(dials).toHaveLength(2);
  });

  it("have a connection opened within the time that they allow for it", () => {
    const { link, ask, dial } = linked(1);
    ask();
    dial(0).succeed();
    ask();
    const patient = exchangeOf();
    patient.connectTimeoutMs = 7_000;
    link.service(patient, new RecordingCaller());
    dial(1).succeed();
    expect([dial(1).timeoutMs, dial(2).timeoutMs]).toEqual([1_000, 7_000]);
  });
});
