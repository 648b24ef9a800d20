import { describe, expect, it } from "vitest";
import { gone, linked } from "./hand-link.ts";

describe("a link", () => {
  it("connects when the first request comes, once for all waiting requests", () => {
    const { ask, dial, dials, link } = linked();
    expect(dials).toHaveLength(0);
    const asked = [ask(), ask(), ask()];
    expect(dials).toHaveLength(1);
    expect(dial(0).timeoutMs).toBe(1_000);
    const connection = dial(0).succeed();
    expect(connection.requests).toEqual(asked.map(({ exchange }) => exchange));
    ask();
    expect([connection.requests.length, dials.length, link.connectionCount]).toEqual([4, 1, 1]);
  });

  it("opens another connection when its streams are used up, and no more than four", () => {
    const { ask, dial, dials, link } = linked(1);
    for (let i = 0; i < 6; i++) ask();
    for (let i = 0; i < 4; i++) dial(i).succeed();
    expect([dials.length, link.connectionCount]).toEqual([4, 4]);
    ask();
    expect(dials).toHaveLength(4);
  });

  it("gives a freed stream to the request that has waited longest", () => {
    const { ask, dial } = linked(1);
    const asked = [ask(), ask(), ask()];
    const connection = dial(0).succeed();
    connection.endStream();
    expect(connection.requests).toEqual(asked.slice(0, 2).map(({ exchange }) => exchange));
  });

  it("gives no stream to a request whose caller has left", () => {
    const { ask, dial } = linked(1);
    ask();
    const gave = ask();
    const waits = ask();
    const connection = dial(0).succeed();
    gave.sink.abortRequest(gone);
    connection.endStream();
    expect(connection.requests.at(-1)).toBe(waits.exchange);
  });

  it("is idle ten minutes after the last request, and never while one is in progress", () => {
    const { ask, dial, clock, link } = linked();
    ask();
    const connection = dial(0).succeed();
    clock.advance(11 * 60_000);
    expect(link.isIdle).toBe(false);
    connection.endStream();
    expect(link.isIdle).toBe(true);
    ask();
    connection.endStream();
    expect(link.isIdle).toBe(false);
  });
});

describe("a failed connection", () => {
  it("refuses waiting requests, and those that come before the backoff is over", () => {
    const { ask, dial, dials, clock } = linked();
    const waiting = [ask(), ask()];
    dial(0).fail();
    for (const { calls } of waiting) expect(calls).toEqual([["abort", "mesh_port_unreachable"]]);
    clock.advance(49);
    expect(ask().calls).toEqual([["abort", "mesh_port_unreachable"]]);
    clock.advance(1);
    expect(ask().calls).toEqual([]);
    expect(dials).toHaveLength(2);
  });

  it("is followed by another, once the backoff is over, for a request that has come back and so has nowhere else to go", () => {
    const { ask, dial, dials, pass } = linked();
    ask();
    dial(0).fail();
    expect(ask(["10.0.0.2:8080"]).calls).toEqual([["abort", "mesh_port_unreachable"]]);
    const again = ask(["10.0.0.2:8080", "10.0.0.1:8080"]);
    pass(40);
    expect([again.calls, dials.length]).toEqual([[], 1]);
    pass(20);
    expect([again.calls, dials.length]).toEqual([[], 2]);
    expect(dial(1).succeed().requests).toEqual([again.exchange]);
  });

  it("also refuses a request that came back if the next connection fails", () => {
    const { ask, dial, dials, pass } = linked();
    ask();
    dial(0).fail();
    const again = ask(["10.0.0.1:8080"]);
    pass(60);
    dial(1).fail();
    expect(again.calls).toEqual([["abort", "mesh_port_unreachable"]]);
    pass(1_000);
    expect(dials).toHaveLength(2);
  });

  it("doubles the backoff each time, up to a second, until one succeeds", () => {
    const { ask, dial, dials, clock } = linked();
    const waits = [50, 100, 200, 400, 800, 1_000, 1_000];
    ask();
    for (const [index, waitMs] of waits.entries()) {
      dial(index).fail();
      clock.advance(waitMs - 1);
      ask();
      expect(dials).toHaveLength(index + 1);
      clock.advance(1);
      ask();
      expect(dials).toHaveLength(index + 2);
    }
    const connection = dial(waits.length).succeed();
    connection.goAway();
    ask();
    dial(waits.length + 1).fail();
    clock.advance(50);
    expect(ask().calls).toEqual([]);
  });

  it("leaves waiting requests to the existing connection, and is not tried again for each of them", () => {
    const { ask, dial, dials, clock } = linked(1);
    ask();
    const connection = dial(0).succeed();
    const second = ask();
    dial(1).fail();
    expect(second.calls).toEqual([]);
    ask();
    expect(dials).toHaveLength(2);
    clock.advance(50);
    ask();
    expect(dials).toHaveLength(3);
    connection.endStream();
    expect(connection.requests).toContain(second.exchange);
  });

  it("beside one without a free stream is followed by another after the backoff, though no more requests come", () => {
    const { ask, dial, dials, pass } = linked(1);
    ask();
    dial(0).succeed();
    const waits = ask();
    dial(1).fail();
    pass(40);
    expect(dials).toHaveLength(2);
    pass(20);
    expect([waits.calls, dials.length]).toEqual([[], 3]);
    expect(dial(2).succeed().requests).toEqual([waits.exchange]);
  });
});

describe("a connection that accepts no more streams", () => {
  it("is followed by a new one for waiting requests", () => {
    const { ask, dial, dials, link } = linked(1);
    ask();
    const first = dial(0).succeed();
    const waits = ask();
    first.goAway();
    expect([link.connectionCount, dials.length]).toEqual([0, 2]);
    expect(dial(1).succeed().requests).toEqual([waits.exchange]);
    expect(first.ends).toEqual([]);
  });

  it("sends waiting requests to another pod at once if the last attempt failed, and those that came back after the backoff", () => {
    const { ask, dial, dials, pass } = linked(1);
    ask();
    const first = dial(0).succeed();
    const [waits, again] = [ask(), ask(["10.0.0.1:8080"])];
    dial(1).fail();
    first.goAway();
    expect([waits.calls, again.calls]).toEqual([[["abort", "mesh_port_unreachable"]], []]);
    pass(60); // the backoff
    expect(dials).toHaveLength(3);
    expect(dial(2).succeed().requests).toEqual([again.exchange]);
  });

  it("from the start sends waiting requests elsewhere", () => {
    const { ask, dial, dials, pass } = linked(0);
    const waits = ask();
    dial(0).succeed().goAway();
    expect(waits.calls).toEqual([["abort", "link_saturated"]]);
    pass(1_000);
    expect(dials).toHaveLength(1);
  });

  it("from the start is followed by another only after the backoff, which doubles each time", () => {
    const { ask, dial, dials, pass } = linked(0);
    const waits = ask(["10.0.0.1:8080"]);
    for (const [index, waitMs] of [50, 100, 200, 400].entries()) {
      dial(index).succeed().goAway();
      pass(waitMs - 10);
      expect([waits.calls, dials.length]).toEqual([[], index + 1]);
      pass(20);
      expect([waits.calls, dials.length]).toEqual([[], index + 2]);
    }
  });

  it("from the start, again and again, keeps no request waiting for longer than 5 s", () => {
    const { ask, dial, dials, pass } = linked(0);
    const waits = ask(["10.0.0.1:8080"]);
    for (let passedMs = 0; passedMs < 10_500; passedMs += 50) {
      if (passedMs % 500 === 0)
        dial(dials.length - 1)
          .succeed()
          .goAway();
      pass(50);
    }
    expect(waits.calls).toEqual([["abort", "link_saturated"]]);
    expect(dials.length).toBeLessThan(25);
  });

  it("is not replaced while there are no requests", () => {
    const { ask, dial, dials } = linked();
    ask();
    dial(0).succeed().goAway();
    expect(dials).toHaveLength(1);
  });
});

describe("a connection whose certificate expires", () => {
  it("is replaced before that, the new one first", () => {
    const { ask, dial, dials, clock, link } = linked();
    ask();
    const old = dial(0).succeed(5_000);
    clock.advance(4_999);
    link.renewDue();
    expect(dials).toHaveLength(1);
    clock.advance(1);
    link.renewDue();
    link.renewDue();
    expect([dials.length, old.ends]).toEqual([2, []]);
    ask();
    expect(old.requests).toHaveLength(2);
    const fresh = dial(1).succeed(9_000);
    expect([old.ends, link.connectionCount]).toEqual([["drained"], 1]);
    ask();
    expect(fresh.requests).toHaveLength(1);
  });

  it("goes on serving while it can't be replaced", () => {
    const { ask, dial, dials, clock, link } = linked();
    ask();
    const old = dial(0).succeed(5_000);
    clock.advance(5_000);
    link.renewDue();
    dial(1).fail();
    ask();
    link.renewDue();
    expect([old.requests.length, old.ends, dials.length]).toEqual([2, [], 2]);
    clock.advance(50);
    link.renewDue();
    expect(dials).toHaveLength(3);
  });

  it("is not replaced every second by one that expires as soon", () => {
    const { ask, dial, dials, clock, link } = linked();
    ask();
    dial(0).succeed(5_000);
    clock.advance(5_000);
    link.renewDue();
    dial(1).succeed(5_000);
    for (let i = 0; i < 20; i++) {
      clock.advance(1_000);
      link.renewDue();
    }
    expect(dials).toHaveLength(2);
    clock.advance(10_000);
    link.renewDue();
    expect(dials).toHaveLength(3);
  });
});

describe("the end of a link", () => {
  it("refuses waiting requests, ends its connections, and accepts no more", () => {
    const { ask, dial, link } = linked(1);
    ask();
    const connection = dial(0).succeed();
    const waits = ask();
    link.destroy(gone);
    expect([waits.calls, connection.ends]).toEqual([[["abort", "upstream_closed"]], ["destroyed: upstream_closed"]]);
    expect(dial(1).succeed().ends).toEqual(["drained"]);
    expect(ask().calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("lets streams finish when it is drained", () => {
    const { ask, dial, link } = linked();
    ask();
    const connection = dial(0).succeed();
    link.drain();
    expect(connection.ends).toEqual(["drained"]);
  });

  it("refuses waiting requests when it is drained", () => {
    const { ask, link } = linked();
    const waits = ask();
    link.drain();
    expect(waits.calls).toEqual([["abort", "upstream_closed"]]);
  });
});
