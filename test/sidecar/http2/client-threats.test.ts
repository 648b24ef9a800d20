/** What a client must survive from a server, over real sockets. */

import { once } from "node:events";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen } from "../../support/sockets.ts";
import { type Answer, send } from "./peers.ts";
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  type Pairs,
  PING,
  PUSH_PROMISE,
  preface,
  type RawFrame,
  RawPeer,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "./raw-peer.ts";

const clock = new HandClock(1000);
const timers = new TimerWheel(clock, { drive: false });
let listening: Listening;
let client: Http2Client;
let peer: RawPeer;
const closings: (Error | undefined)[] = [];

/** A server that speaks SETTINGS and then whatever the test has it say. */
async function start(settings = Buffer.alloc(0)): Promise<void> {
  const accepted = Promise.withResolvers<net.Socket>();
  listening = await listen((socket) => {
    // The preface is read apart, so that the peer sees frames only.
    socket.once("readable", () => {
      socket.read(preface.length);
      accepted.resolve(socket);
    });
  });
  const socket = net.connect(listening.port, "127.0.0.1");
  await once(socket, "connect");
  client = new Http2Client(socket, { clock, timers, keepAlive: { intervalMs: 5000, timeoutMs: 3000 } });
  client.onClosed = (error) => closings.push(error);
  peer = new RawPeer(await accepted.promise);
  const ready = Promise.withResolvers<void>();
  client.onReady = ready.resolve;
  peer.send(frame(SETTINGS, 0, 0, settings));
  await ready.promise;
}

async function ask(head: Parameters<typeof send>[1] = {}, body?: Buffer): Promise<Answer> {
  const answer = send(client.request, head, body);
  await peer.receive(({ type }) => type === HEADERS);
  return answer;
}

const ok: Pairs = [[":status", "200"]];

beforeEach(() => {
  closings.length = 0;
});

afterEach(async () => {
  client.destroy();
  await listening.close();
});

describe("aborts with bad_response on a response that is not HTTP", () => {
  it.each<[string, Buffer[]]>([
    ["no :status", [headers(1, [["x", "1"]])]],
    ["two :status", [headers(1, [...ok, ...ok])]],
    [":path in an answer", [headers(1, [...ok, [":path", "/"]])]],
    ["a :status that is no number", [headers(1, [[":status", "2000"]])]],
    ["an uppercase name", [headers(1, [...ok, ["X-Upper", "1"]])]],
    ["CR LF in a value", [headers(1, [...ok, ["x", "1\r\n\r\nHTTP/1.1 200 OK"]])]],
    ["transfer-encoding", [headers(1, [...ok, ["transfer-encoding", "chunked"]])]],
    ["two content-lengths", [headers(1, [...ok, ["content-length", "0"], ["content-length", "0"]])]],
    ["no DATA for content-length", [headers(1, [...ok, ["content-length", "1"]])]],
    ["101", [headers(1, [[":status", "101"]], END_HEADERS)]],
    ["an informational answer that ends", [headers(1, [[":status", "103"]])]],
    [
      "informational answers without end",
      Array.from({ length: 101 }, () => headers(1, [[":status", "103"]], END_HEADERS)),
    ],
    ["DATA before the head", [frame(DATA, 0, 1, Buffer.from("x"))]],
    ["an end before the head", [frame(DATA, END_STREAM, 1)]],
    ["a body on 204", [headers(1, [[":status", "204"]], END_HEADERS), frame(DATA, 0, 1, Buffer.from("x"))]],
    ["a head beyond the limit", [headers(1, [...ok, ["x", "y".repeat(16_000)], ...crumbs(800)], END_HEADERS)]],
    [
      "more DATA than content-length",
      [headers(1, [...ok, ["content-length", "1"]], END_HEADERS), frame(DATA, 0, 1, Buffer.from("xy"))],
    ],
    [
      "trailers that do not end",
      [headers(1, ok, END_HEADERS), frame(DATA, 0, 1, Buffer.from("x")), headers(1, [["x", "1"]], END_HEADERS)],
    ],
  ])("%s", async (_name, frames) => {
    await start();
    const answer = await ask();
    for (const bytes of cutFrames(frames)) peer.send(bytes);
    expect(await answer.ended).toMatchObject({ code: "bad_response", processed: "maybe" });
    expect(await peer.resetOf(1)).toBe(1);
    const next = send(client.request);
    await peer.receiveType(HEADERS, 3);
    peer.send(headers(3, ok));
    expect(await next.ended).toBeUndefined();
  });

  it("does not wait for a body in response to HEAD", async () => {
    await start();
    const answer = await ask({ method: "HEAD" });
    peer.send(headers(1, [...ok, ["content-length", "100"]]));
    expect(await answer.ended).toBeUndefined();
    expect([answer.isBodyless, answer.headers.get("content-length")]).toEqual([true, "100"]);
  });
});

function crumbs(count: number): Pairs {
  return Array.from({ length: count }, () => ["set-cookie", "a"] as const);
}

/** HEADERS beyond the largest frame go as CONTINUATION. */
function cutFrames(frames: readonly Buffer[]): Buffer[] {
  return frames.flatMap((bytes) => {
    if (bytes.length <= 16_384) return [bytes];
    const payload = bytes.subarray(9);
    const first = frame(HEADERS, END_STREAM, 1, payload.subarray(0, 16_000));
    return [first, frame(9, END_HEADERS, 1, payload.subarray(16_000))];
  });
}

describe("a server that breaks the protocol loses the connection", () => {
  it.each<[string, Buffer, number]>([
    ["PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([uint32(2), block([])])), 1],
    ["an answer to nothing", headers(7, ok), 1],
    ["a stream of its own", headers(2, ok), 1],
    ["DATA on an idle stream", frame(DATA, 0, 9, Buffer.from("x")), 1],
    ["SETTINGS that allow pushing", frame(SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 2]), uint32(1)])), 1],
    ["a field block that is not HPACK", frame(HEADERS, END_HEADERS, 1, Buffer.of(0x80)), 9],
    ["a GOAWAY that is cut off", frame(GOAWAY, 0, 0, uint32(0)), 6],
    ["a frame beyond 16 KiB", Buffer.from([1, 0, 0, DATA, 0, 0, 0, 0, 1]), 6],
  ])("%s", async (_name, bytes, code) => {
    await start();
    const answer = await ask();
    peer.send(bytes);
    expect(await peer.goawayCode()).toBe(code);
    expect(await answer.ended).toMatchObject({ code: "upstream_closed", processed: "maybe" });
    await peer.closed;
    await expect.poll(() => closings.length).toBe(1);
    expect(client.canOpenStream).toBe(false);
  });
});

describe("a server that dies", () => {
  const exchange = Buffer.concat([
    headers(1, [[":status", "103"]], END_HEADERS),
    headers(1, [...ok, ["content-length", "4"]], END_HEADERS),
    frame(DATA, 0, 1, Buffer.from("body")),
    headers(1, [["x-sum", "1"]]),
  ]);

  /** The answer as far as `length` bytes of it tell, and what was left then. */
  async function dieAfter(length: number): Promise<{ code: string | undefined; body: string; streams: number }> {
    await start();
    const closed = Promise.withResolvers<void>();
    client.onClosed = () => closed.resolve();
    const answer = await ask();
    peer.socket.end(exchange.subarray(0, length));
    const error = await answer.ended;
    await closed.promise;
    await listening.close();
    return { code: error?.code, body: answer.body.toString(), streams: client.activeStreams };
  }

  it("leaves an aborted response at every byte but the last, and no stream", async () => {
    for (let length = 0; length < exchange.length; length++) {
      const left = await dieAfter(length);
      expect(left).toMatchObject({ code: "upstream_closed", streams: 0 });
      expect("body").toContain(left.body);
    }
    expect(await dieAfter(exchange.length)).toEqual({ code: undefined, body: "body", streams: 0 });
  });

  it("is detected in less than 10 s without traffic", async () => {
    await start();
    const answer = await ask();
    pass(6300);
    expect((await peer.receiveType(PING))?.payload).toHaveLength(8);
    pass(3050);
    expect(await answer.ended).toMatchObject({ code: "upstream_closed", message: "the peer does not answer a PING" });
    await peer.closed;
  });

  it("is not given up while it sends anything", async () => {
    await start();
    const answer = await ask();
    const pings = (): RawFrame[] => peer.frames.filter(({ type, flags }) => type === PING && flags === 0);
    for (let i = 1; i <= 3; i++) {
      pass(i === 1 ? 6000 : 7500);
      await expect
        .poll(() => {
          if (pings().length < i) pass(200);
          return pings().length;
        })
        .toBe(i);
      peer.send(frame(PING, 1, 0, pings().at(-1)?.payload));
      await peer.roundTrip();
    }
    peer.send(headers(1, ok));
    expect(await answer.ended).toBeUndefined();
  });
});

function pass(ms: number): void {
  for (let i = 0; i < ms; i += 10) {
    clock.advance(10);
    timers.advance();
  }
}

describe("a server that answers before the request is whole", () => {
  it("may reset without error: the response stands", async () => {
    await start();
    const answer = send(client.request, { bodyless: false }, Buffer.alloc(200_000));
    await peer.receiveType(HEADERS, 1);
    peer.send(headers(1, [[":status", "413"]]), frame(RST_STREAM, 0, 1, uint32(0)));
    expect(await answer.ended).toBeUndefined();
    expect(answer.status).toBe(413);
    await expect.poll(() => client.activeStreams).toBe(0);
  });
});

describe("SETTINGS", () => {
  it("that shrink the window below what was sent stop the stream until it is positive again", async () => {
    await start();
    const answer = send(client.request, { bodyless: false }, Buffer.alloc(100_000));
    await expect.poll(() => received()).toBe(65_535);
    peer.send(frame(SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(1000)])));
    peer.send(frame(8, 0, 0, uint32(100_000)), frame(8, 0, 1, uint32(64_535)));
    await peer.roundTrip();
    expect(received()).toBe(65_535);
    peer.send(frame(8, 0, 1, uint32(7)));
    await expect.poll(() => received()).toBe(65_542);
    peer.send(frame(8, 0, 1, uint32(100_000)), headers(1, ok));
    expect(await answer.ended).toBeUndefined();
    await expect.poll(() => received()).toBe(100_000);
  });

  const received = (): number =>
    peer.frames.filter(({ type }) => type === DATA).reduce((sum, { payload }) => sum + payload.length, 0);

  it("that empty the header table and allow it again in one frame are both announced with the next head", async () => {
    await start();
    const headers = new HeaderFields(["x-tenant", "blue"]);
    for (let i = 0; i < 3; i++) send(client.request, { headers });
    await peer.receiveType(HEADERS, 5);
    const size = (bytes: number): Buffer => Buffer.concat([Buffer.of(0, 1), uint32(bytes)]);
    peer.send(frame(SETTINGS, 0, 0, Buffer.concat([size(0), size(4096)])));
    await peer.roundTrip();
    send(client.request, { headers });
    const head = await peer.receiveType(HEADERS, 7);
    // Down to 0, up to 4,096; and what was in the table is said anew.
    expect(head?.payload.subarray(0, 4)).toEqual(Buffer.of(0x20, 0x3f, 0xe1, 0x1f));
    expect(head?.payload.includes("blue")).toBe(true);
  });

  it("that shrink the header table are honoured with the next head", async () => {
    await start(Buffer.concat([Buffer.from([0, 1]), uint32(0)]));
    const headers = new HeaderFields(["x-tenant", "blue"]);
    for (let i = 0; i < 3; i++) send(client.request, { headers });
    await peer.receiveType(HEADERS, 5);
    const blocks = peer.frames.filter(({ type }) => type === HEADERS).map(({ payload }) => payload);
    expect(blocks[0]?.[0]).toBe(0x20);
    expect(blocks[2]?.includes("blue")).toBe(true);
  });
});

describe("a server that takes its time", () => {
  it("with a body is waited for unless a policy limits it", async () => {
    await start(Buffer.concat([Buffer.of(0, 4), uint32(10)]));
    const answer = await ask({ method: "POST", bodyless: false }, Buffer.alloc(1_000));
    for (let second = 0; second < 200; second++) {
      await peer.roundTrip();
      pass(1_000);
    }
    peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(1_000)));
    await peer.receive(({ type, flags }) => type === DATA && (flags & END_STREAM) !== 0);
    peer.send(headers(1, ok));
    expect(await answer.ended).toBeUndefined();
  });

  it("to read a body that it has answered already is not waited for, and its stream is freed", async () => {
    await start(Buffer.concat([Buffer.of(0, 4), uint32(10)]));
    const answer = await ask({ method: "POST", bodyless: false }, Buffer.alloc(1_000));
    peer.send(headers(1, ok));
    expect(await answer.ended).toBeUndefined();
    for (let second = 0; second < 61; second++) {
      await peer.roundTrip();
      pass(1_000);
    }
    expect(await peer.resetOf(1)).toBe(8);
    expect([client.activeStreams, client.state]).toEqual([0, "open"]);
  });

  it("to read its half of a tunnel is waited for, even if it has ended the other half", async () => {
    await start(Buffer.concat([Buffer.of(0, 4), uint32(10)]));
    const answer = await ask({ method: "CONNECT", path: "", bodyless: false }, Buffer.alloc(1_000));
    peer.send(headers(1, ok));
    expect(await answer.ended).toBeUndefined();
    for (let second = 0; second < 130; second++) {
      await peer.roundTrip();
      pass(1_000);
    }
    expect(client.activeStreams).toBe(1);
    peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(1_000)));
    await peer.receive(({ type, flags }) => type === DATA && (flags & END_STREAM) !== 0);
  });
});

describe("callers that open and cancel without end", () => {
  const gone = new MeshError("upstream_closed", "the caller is gone");
  const resets = () => peer.frames.filter(({ type }) => type === RST_STREAM).length;

  it("don't end the connection: early cancellations are delayed until they are no rapid reset", async () => {
    await start();
    for (let i = 0; i < 300; i++) {
      const asked = new RecordingCaller();
      client.request(exchangeOf(), asked).abortRequest(gone);
    }
    await expect.poll(resets).toBe(250);
    expect(client.activeStreams).toBe(50);
    pass(210);
    await expect.poll(resets).toBe(300);
    expect(client.activeStreams).toBe(0);
  });

  it("receive nothing of a response that comes before the cancellation was sent", async () => {
    await start();
    const callers = Array.from({ length: 251 }, () => new RecordingCaller());
    for (const caller of callers) client.request(exchangeOf(), caller).abortRequest(gone);
    peer.send(headers(501, [[":status", "200"]], END_HEADERS), frame(DATA, END_STREAM, 501, Buffer.from("late")));
    await expect.poll(() => client.activeStreams).toBe(0);
    expect(callers.flatMap(({ calls }) => calls)).toEqual([]);
  });
});
