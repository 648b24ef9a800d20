import { describe, expect, it } from "vitest";
import type { Exchange } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { gone, put, retrying } from "./retrying.ts";

describe("the body", () => {
  it("is replayed byte for byte, with its end and trailers", () => {
    const { sink, fail, pass, tries } = retrying({ head: put });
    const chunk = Buffer.from("first ");
    sink.writeRequest(chunk);
    chunk.fill("x");
    sink.writeRequest(Buffer.from("second"));
    fail("connect_failed");
    expect(sink.writeRequest(Buffer.from(" between"))).toBe(false);
    sink.endRequest(new HeaderFields(["t", "1"]));
    pass(120);
    const replayed = [
      ["write", "first "],
      ["write", "second"],
      ["write", " between"],
      ["end", ["t", "1"]],
    ];
    expect(tries[1]?.calls).toEqual(replayed);
    fail("connect_failed");
    pass(220);
    expect(tries[2]?.calls).toEqual(replayed);
  });

  it("continues where it stopped, once the next try accepts it", () => {
    const { sink, fail, pass, tries, caller } = retrying({ head: put });
    sink.writeRequest(Buffer.from("a"));
    fail("connect_failed");
    sink.writeRequest(Buffer.from("b"));
    expect(caller.calls).toEqual([]);
    pass(120);
    expect(caller.calls).toEqual([["resume"]]);
    sink.writeRequest(Buffer.from("c"));
    sink.endRequest();
    expect(tries[1]?.calls).toEqual([
      ["write", "a"],
      ["write", "b"],
      ["write", "c"],
      ["end", []],
    ]);
  });

  it("keeps its order when the next try asks for more while it is being sent", () => {
    const { sink, fail, pass, tries, caller } = retrying({
      head: put,
      atOnce: [() => {}, (response) => response.resumeRequest()],
    });
    sink.writeRequest(Buffer.from("a"));
    caller.resumeRequest = () => {
      caller.resumeRequest = () => {};
      sink.writeRequest(Buffer.from("b"));
    };
    fail("connect_failed");
    pass(120);
    expect(tries[1]?.calls).toEqual([
      ["write", "a"],
      ["write", "b"],
    ]);
  });

  it.each([
    [65_536, 2, "retried connect-failure"],
    [65_537, 1, "body_too_large"],
  ])("of %d bytes is tried %d times", (length, tried, counted) => {
    const layer = retrying({ head: put });
    for (let left = length; left > 0; left -= 16_384) layer.sink.writeRequest(Buffer.alloc(Math.min(left, 16_384)));
    layer.sink.endRequest();
    layer.fail("connect_failed");
    layer.pass(120);
    expect(layer.tries).toHaveLength(tried);
    expect(layer.counted).toEqual([counted]);
  });

  it("that grows too large between two tries is sent with the next one, and with no other", () => {
    const { sink, fail, pass, tries, caller } = retrying({ head: put });
    sink.writeRequest(Buffer.alloc(60_000));
    fail("connect_failed");
    sink.writeRequest(Buffer.alloc(10_000));
    pass(120);
    expect(tries[1]?.calls).toHaveLength(2);
    fail("connect_failed");
    expect(caller.calls.at(-1)).toEqual(["abort", "connect_failed"]);
  });

  it("is not kept any longer once a response is final", () => {
    const { sink, answer, fail, tries, pass } = retrying({ head: put });
    sink.writeRequest(Buffer.from("a"));
    answer(200);
    sink.writeRequest(Buffer.from("b"));
    fail("connect_failed");
    pass(1_000);
    expect(tries).toHaveLength(1);
  });
});

describe("bodies of one connection", () => {
  const chunk = Buffer.alloc(60 * 1024);

  it("are kept up to 1 MiB together", () => {
    const keptBodies = { bytes: 0 };
    const requests = Array.from({ length: 20 }, () =>
      retrying({ head: put, prepare: (exchange) => (exchange.keptBodies = keptBodies) }),
    );
    for (const { sink } of requests) sink.writeRequest(chunk);
    expect(keptBodies.bytes).toBe(17 * chunk.length);
    for (const { answer } of requests) answer(503);
    expect(requests.map(({ counted }) => counted[0] ?? "waits")).toEqual([
      ...Array<string>(17).fill("waits"),
      ...Array<string>(3).fill("body_too_large"),
    ]);
    for (const { pass, answer } of requests.slice(0, 17)) {
      pass(120);
      answer(200);
    }
    expect(keptBodies.bytes).toBe(0);
  });

  it("release what they kept, however they end", () => {
    const keptBodies = { bytes: 0 };
    const prepare = (exchange: Exchange) => (exchange.keptBodies = keptBodies);
    const endings: ((one: ReturnType<typeof retrying>) => void)[] = [
      ({ answer }) => answer(200),
      ({ fail }) => fail("upstream_reset", "maybe"),
      ({ sink }) => sink.abortRequest(gone),
      ({ answer, sink }) => {
        answer(503);
        sink.abortRequest(gone);
      },
      ({ sink }) => sink.writeRequest(chunk),
    ];
    for (const end of endings) {
      const one = retrying({ head: put, prepare });
      one.sink.writeRequest(chunk);
      expect(keptBodies.bytes).toBe(chunk.length);
      end(one);
      expect(keptBodies.bytes).toBe(0);
    }
  });
});
