/** What a server must survive from a stranger, over real sockets. */

import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Http2Options } from "../../../sidecar/http2/options.ts";
import { type Http2ServerConnection, serveHttp2 } from "../../../sidecar/http2/server.ts";
import type { Exchange, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen } from "../../support/sockets.ts";
import { malformedRequests, without } from "./hostile-requests.ts";
import { echo } from "./peers.ts";
import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  get,
  HEADERS,
  headers,
  indexedLiteral,
  type Pairs,
  PING,
  PRIORITY,
  post,
  RawPeer,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "./raw-peer.ts";

const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const REFUSED_STREAM = 7;
const ENHANCE_YOUR_CALM = 11;

let listening: Listening;
let peer: RawPeer;
let server: Http2ServerConnection;
let service: (exchange: Exchange, response: ResponseSink) => RequestSink;
let exchanges: Exchange[];
/** What the codec refused by itself. */
let refused: string[];
const clock = new HandClock(1000);
const timers = new TimerWheel(clock, { drive: false });

async function start(more: Partial<Http2Options> = {}, settings?: Buffer): Promise<void> {
  listening = await listen((socket) => {
    const observed = (exchange: Exchange, response: ResponseSink): RequestSink => {
      exchanges.push(exchange);
      return service(exchange, response);
    };
    server = serveHttp2(socket, observed, { clock, timers, onRefused: (code) => void refused.push(code), ...more });
  });
  peer = await RawPeer.connect(listening.port, settings);
  await peer.receiveType(SETTINGS);
}

/** Lets time pass, and the timers with it. */
function pass(ms: number): void {
  for (let i = 0; i < ms; i += 10) {
    clock.advance(10);
    timers.advance();
  }
}

/** The connection still serves, and its HPACK state is in step. */
async function expectServing(streamId: number): Promise<void> {
  peer.send(headers(streamId, get));
  const head = await peer.receiveType(HEADERS, streamId);
  expect(head, "an answer").toBeDefined();
}

async function expectCalmed(): Promise<void> {
  expect(await peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
  await peer.closed;
  await expect.poll(() => listening.connections.size).toBe(0);
}

beforeEach(() => {
  service = echo;
  exchanges = [];
  refused = [];
});

afterEach(async () => {
  peer.socket.destroy();
  await listening.close();
});

describe("threat 6: what would become another message behind us", () => {
  it.each(Object.entries(malformedRequests))("resets %s before the service sees it", async (_name, fields) => {
    await start();
    peer.send(headers(1, fields));
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect([exchanges, refused]).toEqual([[], ["bad_request"]]);
    await expectServing(3);
  });

  it.each([
    ["more", ["12345"]],
    ["less", ["12"]],
  ])("resets a body with %s DATA than content-length, and aborts the upstream", async (_name, chunks) => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    peer.send(headers(1, [...post, ["content-length", "4"]], END_HEADERS));
    for (const chunk of chunks) peer.send(frame(DATA, END_STREAM, 1, Buffer.from(chunk)));
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(upstream.calls.at(-1)?.[0]).toBe("abort");
    expect(upstream.calls.map(([name]) => name)).not.toContain("end");
  });

  it.each([
    ["a pseudo-header", [[":path", "/"]]],
    ["connection", [["connection", "close"]]],
    ["CR LF", [["x", "a\r\nb"]]],
  ] as const)("resets trailers with %s", async (_name, fields) => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    peer.send(headers(1, post, END_HEADERS), headers(1, fields));
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("drops trailers that would frame, route or authenticate", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    const trailers = [
      ["content-length", "9"],
      ["host", "b.test"],
      ["authorization", "x"],
      ["tulle-client-id", "x"],
      ["x-sum", "1"],
    ] as const;
    peer.send(headers(1, post, END_HEADERS), headers(1, trailers));
    await peer.roundTrip();
    expect(upstream.calls).toEqual([["end", ["x-sum", "1"]]]);
  });

  it("takes a host that equals :authority, and one alone", async () => {
    await start();
    peer.send(headers(1, [...get, ["host", "a.test"]]), headers(3, [...without(":authority"), ["host", "b.test"]]));
    await peer.receiveType(HEADERS, 3);
    expect(exchanges.map(({ authority }) => authority)).toEqual(["a.test", "b.test"]);
    expect(exchanges.map(({ headers }) => headers.flat)).toEqual([[], []]);
  });
});

describe("threat 9: floods end in GOAWAY ENHANCE_YOUR_CALM", () => {
  it("rapid reset: upstream work is cancelled", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    for (let id = 1; id < 2 * 1000; id += 2) peer.send(headers(id, get), frame(RST_STREAM, 0, id, uint32(8)));
    await expectCalmed();
    expect(exchanges.length).toBeLessThanOrEqual(502);
    expect(upstream.calls.filter(([name]) => name === "abort")).toHaveLength(exchanges.length);
  });

  it("but not cancellation at an honest rate", async () => {
    service = new RecordingUpstream().service;
    await start();
    for (let id = 1; id < 2 * 1000; id += 2) {
      peer.send(headers(id, get), frame(RST_STREAM, 0, id, uint32(8)));
      await peer.roundTrip();
      pass(20);
    }
    expect(exchanges).toHaveLength(1000);
    expect(server.state).toBe("open");
  });

  it("nor many requests that time out at once", async () => {
    service = new RecordingUpstream().service;
    await start();
    for (let first = 1; first < 2 * 2000; first += 400) {
      const ids = Array.from({ length: 200 }, (_, i) => first + 2 * i);
      peer.send(...ids.map((id) => headers(id, get)));
      await peer.roundTrip();
      pass(100);
      peer.send(...ids.map((id) => frame(RST_STREAM, 0, id, uint32(8))));
      await peer.roundTrip();
    }
    expect(exchanges).toHaveLength(2000);
    expect(server.state).toBe("open");
  });

  it("nor a WINDOW_UPDATE with each of many requests", async () => {
    service = (_exchange, response) => {
      response.head({ status: 204, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
      return new RecordingUpstream();
    };
    await start();
    for (let id = 1; id < 2 * 5000; id += 2) peer.send(headers(id, get), frame(WINDOW_UPDATE, 0, id, uint32(1)));
    await peer.roundTrip();
    expect(exchanges).toHaveLength(5000);
    expect(server.state).toBe("open");
  });

  it.each([
    ["a WINDOW_UPDATE of 0", (id: number) => frame(WINDOW_UPDATE, 0, id, uint32(0))],
    ["a window beyond 2^31-1", (id: number) => frame(WINDOW_UPDATE, 0, id, uint32(0x7fffffff))],
    ["DATA after the end", (id: number) => frame(DATA, 0, id, Buffer.from("x"))],
    ["HEADERS after the end", (id: number) => headers(id, get)],
    ["PRIORITY of a wrong size", (id: number) => frame(PRIORITY, 0, id, uint32(0))],
    [
      "a stream that depends on itself",
      (id: number) => frame(PRIORITY, 0, id, Buffer.concat([uint32(id), Buffer.of(1)])),
    ],
  ])("MadeYouReset by %s: upstream work is cancelled", async (_name, breach) => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    for (let id = 1; id < 2 * 1000; id += 2) peer.send(headers(id, get), breach(id));
    await expectCalmed();
    expect(exchanges.length).toBeLessThanOrEqual(502);
    expect(upstream.calls.filter(([name]) => name === "abort")).toHaveLength(exchanges.length);
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["small", block([["x", "y".repeat(100)]])],
    ["large", block([["x", "y".repeat(16_000)]])],
  ])("%s CONTINUATION without end", async (_name, part) => {
    await start();
    peer.send(frame(HEADERS, END_STREAM, 1, block(get)));
    for (let i = 0; i < 2000; i++) peer.send(frame(CONTINUATION, 0, 1, part));
    await expectCalmed();
    expect(exchanges).toEqual([]);
  });

  it.each([
    ["PING", frame(PING, 0, 0, Buffer.alloc(8))],
    ["SETTINGS", frame(SETTINGS, 0, 0)],
    ["acknowledgements of SETTINGS", frame(SETTINGS, ACK, 0)],
    ["PRIORITY", frame(PRIORITY, 0, 9, Buffer.from([0, 0, 0, 0, 1]))],
    ["empty DATA", frame(DATA, 0, 1)],
    ["WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, uint32(1))],
    ["unknown frames", frame(0xee, 0, 0)],
    ["resets of a closed stream", frame(RST_STREAM, 0, 3, uint32(8))],
  ])("%s", async (_name, bytes) => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    peer.send(headers(1, post, END_HEADERS), headers(3, get), frame(RST_STREAM, 0, 3, uint32(8)));
    for (let i = 0; i < 50; i++) peer.send(Buffer.concat(Array.from({ length: 100 }, () => bytes)));
    await expectCalmed();
    expect(upstream.calls.at(-1)).toEqual(["abort", "upstream_closed"]);
  });

  it("refuses streams beyond the limit, which says that they were not processed", async () => {
    service = new RecordingUpstream().service;
    await start({ maxConcurrentStreams: 2 });
    peer.send(headers(1, get), headers(3, get), headers(5, get));
    expect(await peer.resetOf(5)).toBe(REFUSED_STREAM);
    expect(exchanges).toHaveLength(2);
    peer.send(frame(RST_STREAM, 0, 1, uint32(8)), headers(7, get));
    await peer.roundTrip();
    expect(exchanges).toHaveLength(3);
  });
});

describe("threat 10: the slow", () => {
  it("closes a connection that stops inside the handshake", async () => {
    listening = await listen((socket) => {
      server = serveHttp2(socket, echo, { clock, timers });
    });
    peer = new RawPeer(net.connect(listening.port, "127.0.0.1"));
    peer.send(Buffer.from("PRI * HTTP/2.0\r\n"));
    await peer.receiveType(SETTINGS);
    pass(10_020);
    expect(await peer.goawayCode()).toBe(4);
    await peer.closed;
  });

  it("closes a connection whose field block does not end", async () => {
    service = new RecordingUpstream().service;
    await start();
    peer.send(headers(1, get), frame(HEADERS, 0, 3, block(get)));
    await expect.poll(() => exchanges.length).toBe(1);
    await expect
      .poll(() => {
        pass(1000);
        return peer.isClosed;
      })
      .toBe(true);
    expect(await peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
  });

  it("drains a connection without streams", async () => {
    await start({ idleTimeoutMs: 5000 });
    await expectServing(1);
    pass(5020);
    expect(await peer.goawayCode()).toBe(0);
    pass(2020);
    await peer.closed;
  });

  it("resets a stream whose window stays shut, and frees its upstream", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start({}, Buffer.concat([Buffer.from([0, 4]), uint32(10)]));
    peer.send(headers(1, get));
    await peer.roundTrip();
    upstream.response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    expect(upstream.response.writeResponse(Buffer.alloc(10_000))).toBe(false);
    await peer.receiveType(DATA, 1);
    // Enough for 30 s, and then next to nothing.
    pass(29_000);
    peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(3_000)));
    await peer.roundTrip();
    pass(29_000);
    peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(1)));
    await peer.roundTrip();
    expect(upstream.calls).toEqual([["end", []]]);
    pass(2_050);
    expect(await peer.resetOf(1)).toBe(8);
    expect(upstream.calls.at(-1)).toEqual(["abort", "answer_not_taken"]);
    service = echo;
    await expectServing(3);
  });

  it("resets a body of known length that dribbles, and lets a conversation take its time", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    peer.send(headers(1, [...post, ["content-length", "100000"]], END_HEADERS), headers(3, post, END_HEADERS));
    await peer.roundTrip();
    for (let look = 0; look < 3; look++) {
      peer.send(frame(DATA, 0, 1, Buffer.alloc(look === 1 ? 12_000 : 10)), frame(DATA, 0, 3, Buffer.of(1)));
      await peer.roundTrip();
      expect(upstream.calls.filter(([name]) => name === "abort")).toEqual([]);
      pass(120_000);
    }
    expect(await peer.resetOf(1)).toBe(8);
    expect(upstream.calls.at(-1)).toEqual(["abort", "request_too_slow"]);
    expect(peer.frames.some(({ type, streamId }) => type === RST_STREAM && streamId === 3)).toBe(false);
  });

  it("cuts a connection that reads nothing at all", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start({}, Buffer.concat([Buffer.from([0, 4]), uint32(0x7fffffff)]));
    peer.send(headers(1, get), frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)));
    await peer.roundTrip();
    peer.socket.pause();
    upstream.response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024);
    await expect
      .poll(() => {
        for (let i = 0; i < 100; i++) {
          if (!upstream.response.writeResponse(chunk)) return "full";
          written += chunk.length;
        }
        return "room";
      })
      .toBe("full");
    expect(written).toBeLessThan(64 * 1024 * 1024);
    pass(30_050);
    expect(upstream.calls.at(-1)?.[0]).toBe("abort");
    await expect.poll(() => listening.connections.size).toBe(0);
  });

  it("lets a slow reader have the last answer of a connection that ends", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start({}, Buffer.concat([Buffer.from([0, 4]), uint32(0x7fffffff)]));
    const goaway = frame(GOAWAY, 0, 0, Buffer.alloc(8));
    peer.send(headers(1, get), frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)), goaway);
    await peer.roundTrip();
    peer.socket.pause();
    upstream.response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    const chunk = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 200; i++) upstream.response.writeResponse(chunk);
    upstream.response.endResponse();
    pass(20_000);
    peer.socket.resume();
    await peer.receive(({ type, flags }) => type === DATA && (flags & END_STREAM) !== 0);
    const received = peer.frames.reduce((sum, { type, payload }) => sum + (type === DATA ? payload.length : 0), 0);
    expect(received).toBe(200 * chunk.length);
    await peer.closed;
  });

  it("keeps no more than its window of a stream that nobody reads", async () => {
    const upstream = new RecordingUpstream();
    upstream.takesMore = false;
    service = upstream.service;
    await start();
    peer.send(headers(1, post, END_HEADERS));
    for (let i = 0; i < 4; i++) peer.send(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    await peer.roundTrip();
    expect(peer.frames.filter(({ type, streamId }) => type === WINDOW_UPDATE && streamId === 1)).toEqual([]);
    peer.send(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    expect(await peer.resetOf(1)).toBe(FLOW_CONTROL_ERROR);
    await peer.roundTrip();
    expect(upstream.calls.map(([name]) => name)).toEqual(["write", "write", "write", "write", "abort"]);
  });
});

describe("threat 11: heads beyond the limit get 431, and the connection goes on", () => {
  const status = (payload: Buffer): string => payload.toString("latin1");

  it.each<[string, Pairs]>([
    ["101 fields", Array.from({ length: 101 }, (_, i) => [`x-${i}`, "1"] as const)],
    ["2,500 small fields", Array.from({ length: 2500 }, () => ["x", "1"] as const)],
    ["one huge field", [["x", "y".repeat(40_000)]]],
    ["cookie crumbs", Array.from({ length: 900 }, () => ["cookie", "a=1"] as const)],
  ])("%s", async (_name, fields) => {
    await start();
    const whole = block([...get, ...fields]);
    peer.send(frame(HEADERS, END_STREAM | (whole.length <= 16_384 ? END_HEADERS : 0), 1, whole.subarray(0, 16_384)));
    for (let at = 16_384; at < whole.length; at += 16_384) {
      const flags = at + 16_384 >= whole.length ? END_HEADERS : 0;
      peer.send(frame(CONTINUATION, flags, 1, whole.subarray(at, at + 16_384)));
    }
    const head = await peer.receiveType(HEADERS, 1);
    expect(status(head?.payload ?? Buffer.alloc(0))).toContain("431");
    expect([exchanges, refused]).toEqual([[], ["head_too_large"]]);
    await expectServing(3);
  });

  it("an HPACK bomb: few octets on the wire, many when decoded", async () => {
    await start();
    const bomb = Buffer.concat([
      block(get),
      indexedLiteral("x", "y".repeat(4000)),
      Buffer.alloc(12_000, 0x80 | 62), // the same 4,033 octets 12,000 times
    ]);
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, bomb));
    const head = await peer.receiveType(HEADERS, 1);
    expect(status(head?.payload ?? Buffer.alloc(0))).toContain("431");
    // The table is in step: the entry that the refused head made can be referred to.
    peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, Buffer.concat([block(get), Buffer.of(0x80 | 62)])));
    await peer.receiveType(HEADERS, 3);
    expect(exchanges[0]?.headers.get("x")).toHaveLength(4000);
  });

  it("bombs without end are a flood", async () => {
    await start();
    peer.send(
      frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([block(get), indexedLiteral("x", "y".repeat(4000))])),
    );
    const bomb = Buffer.concat([block(get), Buffer.alloc(20, 0x80 | 62)]);
    for (let id = 3; id < 2 * 3000; id += 2) peer.send(frame(HEADERS, END_HEADERS | END_STREAM, id, bomb));
    await expectCalmed();
    expect(exchanges).toHaveLength(1);
  });
});

describe("threat 13 and 21: names that mean something to a careless map", () => {
  it("carries every value, and __proto__ like any other name", async () => {
    await start();
    peer.send(headers(1, [...get, ["__proto__", "1"], ["x_y", "2"], ["x-y", "3"], ["x-y", "4"]]));
    await peer.receiveType(HEADERS, 1);
    expect(exchanges[0]?.headers.flat).toEqual(["__proto__", "1", "x_y", "2", "x-y", "3", "x-y", "4"]);
  });
});

describe("threat 27: late and broken", () => {
  it("ignores what was on its way when it reset the stream", async () => {
    service = (_exchange, response) => {
      response.abortResponse(new MeshError("overloaded", "no room"));
      return new RecordingUpstream();
    };
    await start();
    peer.send(headers(1, post, END_HEADERS));
    expect(await peer.resetOf(1)).toBe(2);
    peer.send(
      frame(DATA, 0, 1, Buffer.from("late")),
      frame(WINDOW_UPDATE, 0, 1, uint32(5)),
      headers(1, [["x-trailer", "1"]]),
      frame(RST_STREAM, 0, 1, uint32(8)),
    );
    await peer.roundTrip();
    expect(peer.isClosed).toBe(false);
    expect(server.activeStreams).toBe(0);
  });

  it("passes on nothing of a DATA frame after its stream was reset", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    const data = frame(DATA, END_STREAM, 1, Buffer.from("firstsecond"));
    peer.send(headers(1, post, END_HEADERS), data.subarray(0, 14));
    await expect.poll(() => upstream.calls).toEqual([["write", "first"]]);
    upstream.response.abortResponse(new MeshError("overloaded", "no room"));
    peer.send(data.subarray(14));
    await peer.roundTrip();
    expect(upstream.calls).toEqual([["write", "first"]]);
  });

  it("aborts every upstream when the socket breaks", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    await start();
    peer.send(headers(1, get), headers(3, post, END_HEADERS), headers(5, get));
    await peer.roundTrip();
    peer.socket.resetAndDestroy();
    await expect.poll(() => upstream.calls.filter(([name]) => name === "abort").length).toBe(3);
    expect(server.activeStreams).toBe(0);
    expect(server.state).toBe("closed");
  });
});
