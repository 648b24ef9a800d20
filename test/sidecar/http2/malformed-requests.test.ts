/** Threats 6, 13 and 21: requests that would become another message behind us, and names that mean something to a careless map. */

import { describe, expect, it } from "vitest";
import { attackedServer } from "./attacked-server.ts";
import { malformedRequests, without } from "./hostile-requests.ts";
import {
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  post,
  uint32,
} from "./raw-peer.ts";

const PROTOCOL_ERROR = 1;
const PRIORITY_FLAG = 0x20;

const target = attackedServer();

describe("threat 6: what would become another message upstream", () => {
  it.each(Object.entries(malformedRequests))("resets %s before the service sees it", async (_name, fields) => {
    await target.start();
    target.peer.send(headers(1, fields));
    expect(await target.peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect([target.exchanges, target.refused]).toEqual([[], ["bad_request"]]);
    expect(await target.serves(3)).toBe(true);
  });

  it.each([
    ["more", ["12345"]],
    ["less", ["12"]],
  ])("resets a body with %s DATA than content-length, and aborts the upstream", async (_name, chunks) => {
    const upstream = await target.startWaiting();
    target.peer.send(headers(1, [...post, ["content-length", "4"]], END_HEADERS));
    for (const chunk of chunks) target.peer.send(frame(DATA, END_STREAM, 1, Buffer.from(chunk)));
    expect(await target.peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(upstream.calls.at(-1)?.[0]).toBe("abort");
    expect(upstream.calls.map(([name]) => name)).not.toContain("end");
  });

  it.each([
    ["a pseudo-header", [[":path", "/"]]],
    ["connection", [["connection", "close"]]],
    ["CR LF", [["x", "a\r\nb"]]],
  ] as const)("resets trailers with %s", async (_name, fields) => {
    const upstream = await target.startWaiting();
    target.peer.send(headers(1, post, END_HEADERS), headers(1, fields));
    expect(await target.peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("drops trailers about framing, routing or authentication", async () => {
    const upstream = await target.startWaiting();
    const trailers = [
      ["content-length", "9"],
      ["host", "b.test"],
      ["authorization", "x"],
      ["tulle-client-id", "x"],
      ["forwarded", "for=1.2.3.4"],
      ["x-real-ip", "1.2.3.4"],
      ["x-sum", "1"],
    ] as const;
    target.peer.send(headers(1, post, END_HEADERS), headers(1, trailers));
    await target.peer.roundTrip();
    expect(upstream.calls).toEqual([["end", ["x-sum", "1"]]]);
  });

  it("resets a request that depends on itself, even if cut into two frames, before the service sees it", async () => {
    await target.start();
    const onItself = (id: number): Buffer => Buffer.concat([uint32(id), Buffer.of(0), block(get)]);
    target.peer.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, 1, onItself(1)));
    const whole = onItself(3);
    target.peer.send(frame(HEADERS, END_STREAM | PRIORITY_FLAG, 3, whole.subarray(0, 20)));
    target.peer.send(frame(CONTINUATION, END_HEADERS, 3, whole.subarray(20)));
    expect([await target.peer.resetOf(1), await target.peer.resetOf(3)]).toEqual([PROTOCOL_ERROR, PROTOCOL_ERROR]);
    expect(target.exchanges).toEqual([]);
    expect(await target.serves(5)).toBe(true);
  });

  it("accepts a host that means the same as :authority, in another case or with the default port", async () => {
    await target.start();
    for (const [at, host] of ["A.test", "a.test:80", "a.test:"].entries())
      target.peer.send(headers(2 * at + 1, [...get, ["host", host]]));
    await target.peer.receiveType(HEADERS, 5);
    expect(target.exchanges.map(({ authority }) => authority)).toEqual(["a.test", "a.test", "a.test"]);
  });

  it("accepts a host that equals :authority, or stands alone", async () => {
    await target.start();
    target.peer.send(
      headers(1, [...get, ["host", "a.test"]]),
      headers(3, [...without(":authority"), ["host", "b.test"]]),
    );
    await target.peer.receiveType(HEADERS, 3);
    expect(target.exchanges.map(({ authority }) => authority)).toEqual(["a.test", "b.test"]);
    expect(target.exchanges.map(({ headers }) => headers.flat)).toEqual([[], []]);
  });
});

describe("threats 13 and 21: names that mean something to a careless map", () => {
  it("forwards every value, and treats __proto__ like any other name", async () => {
    await target.start();
    target.peer.send(headers(1, [...get, ["__proto__", "1"], ["x_y", "2"], ["x-y", "3"], ["x-y", "4"]]));
    await target.peer.receiveType(HEADERS, 1);
    expect(target.exchanges[0]?.headers.flat).toEqual(["__proto__", "1", "x_y", "2", "x-y", "3", "x-y", "4"]);
  });
});
