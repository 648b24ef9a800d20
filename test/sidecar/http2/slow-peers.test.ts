/** Threat 10: peers that are slow, to speak or to listen. */

import { describe, expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { nowhere } from "../../../sidecar/net/pass-through.ts";
import { attackedServer } from "./attacked-server.ts";
import { without } from "./hostile-requests.ts";
import { echo } from "./peers.ts";
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  get,
  HEADERS,
  headers,
  type Pairs,
  post,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "./raw-peer.ts";

const FLOW_CONTROL_ERROR = 3;
const ENHANCE_YOUR_CALM = 11;
const CANCEL = 8;

const target = attackedServer();
const head = { status: 200, headers: new HeaderFields(), bodyless: false };

/** SETTINGS_INITIAL_WINDOW_SIZE. */
const initialWindow = (bytes: number): Buffer => Buffer.concat([Buffer.of(0, 4), uint32(bytes)]);

describe("threat 10: the slow", () => {
  it("closes a connection that stops during the handshake", async () => {
    await target.start({}, undefined, false);
    target.peer.send(Buffer.from("PRI * HTTP/2.0\r\n"));
    await target.peer.receiveType(SETTINGS);
    target.pass(10_020);
    expect(await target.peer.goawayCode()).toBe(4);
    await target.peer.closed;
  });

  it("closes a connection whose field block never ends", async () => {
    await target.startWaiting();
    target.peer.send(headers(1, get), frame(HEADERS, 0, 3, block(get)));
    await expect.poll(() => target.exchanges.length).toBe(1);
    await expect
      .poll(() => {
        target.pass(1000);
        return target.peer.isClosed;
      })
      .toBe(true);
    expect(await target.peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
  });

  it("drains a connection without streams", async () => {
    await target.start({ idleTimeoutMs: 5000 });
    expect(await target.serves(1)).toBe(true);
    target.pass(5020);
    expect(await target.peer.goawayCode()).toBe(0);
    target.pass(2020);
    await target.peer.closed;
  });

  it("resets a stream whose window stays closed, and frees its upstream", async () => {
    const upstream = await target.startWaiting({}, initialWindow(10));
    target.peer.send(headers(1, get));
    await target.peer.roundTrip();
    upstream.response.head(head);
    expect(upstream.response.writeResponse(Buffer.alloc(10_000))).toBe(false);
    await target.peer.receiveType(DATA, 1);
    // Enough for a minute, and then next to nothing.
    target.pass(59_000);
    target.peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(6_000)));
    await target.peer.roundTrip();
    target.pass(59_000);
    target.peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(1)));
    await target.peer.roundTrip();
    expect(upstream.calls).toEqual([["end", []]]);
    target.pass(2_050);
    expect(await target.peer.resetOf(1)).toBe(8);
    expect(upstream.calls.at(-1)).toEqual(["abort", "answer_not_taken"]);
    target.service = echo;
    expect(await target.serves(3)).toBe(true);
  });

  it("resets only that stream while others fill the connection", async () => {
    const upstream = await target.startWaiting({}, initialWindow(10));
    target.peer.send(headers(1, get));
    await target.peer.roundTrip();
    upstream.response.head(head);
    upstream.response.writeResponse(Buffer.alloc(10_000));
    target.pass(30_000);
    const wide = frame(WINDOW_UPDATE, 0, 3, uint32(0x7fff0000));
    target.peer.send(headers(3, get), wide, frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)));
    await target.peer.roundTrip();
    target.peer.socket.pause();
    upstream.response.head(head);
    while (upstream.response.writeResponse(Buffer.alloc(64 * 1024)));
    target.pass(30_050);
    target.peer.socket.resume();
    expect(await target.peer.resetOf(1)).toBe(CANCEL);
    upstream.response.endResponse();
    await target.peer.receive(({ type, flags, streamId }) => type === DATA && streamId === 3 && flags === END_STREAM);
    expect(target.connection.state).toBe("open");
  });

  it.each<[string, Pairs, number]>([
    [
      "CONNECT",
      [
        [":method", "CONNECT"],
        [":authority", "a.test"],
      ],
      200,
    ],
    ["an upgrade", [[":method", "CONNECT"], [":protocol", "websocket"], ...without(":method")], 101],
  ])("lets the tunnel of %s rest for as long as its ends like", async (_name, fields, status) => {
    const upstream = await target.startWaiting({}, initialWindow(10));
    target.peer.send(headers(1, fields, END_HEADERS));
    await target.peer.roundTrip();
    upstream.response.head({ ...head, status });
    upstream.response.writeResponse(Buffer.alloc(10_000));
    target.pass(200_000);
    expect(upstream.calls).toEqual([]);
    target.peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(10_000)));
    await target.peer.receive(({ type, payload }) => type === DATA && payload.length === 9_990);
    expect(target.peer.frames.some(({ type }) => type === RST_STREAM)).toBe(false);
  });

  it("resets a body of known length that dribbles, but gives a conversation time", async () => {
    const upstream = await target.startWaiting();
    target.peer.send(headers(1, [...post, ["content-length", "100000"]], END_HEADERS), headers(3, post, END_HEADERS));
    await target.peer.roundTrip();
    for (let look = 0; look < 3; look++) {
      target.peer.send(frame(DATA, 0, 1, Buffer.alloc(look === 1 ? 6_000 : 10)), frame(DATA, 0, 3, Buffer.of(1)));
      await target.peer.roundTrip();
      expect(upstream.calls.filter(([name]) => name === "abort")).toEqual([]);
      target.pass(60_000);
    }
    expect(await target.peer.resetOf(1)).toBe(8);
    expect(upstream.calls.at(-1)).toEqual(["abort", "request_too_slow"]);
    expect(target.peer.frames.some(({ type, streamId }) => type === RST_STREAM && streamId === 3)).toBe(false);
  });

  it("cuts a connection that reads nothing at all", async () => {
    const upstream = await target.startWaiting({}, initialWindow(0x7fffffff));
    target.peer.send(headers(1, get), frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)));
    await target.peer.roundTrip();
    target.peer.socket.pause();
    upstream.response.head(head);
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
    target.pass(60_050);
    expect(upstream.calls.at(-1)?.[0]).toBe("abort");
    await expect.poll(() => target.openSockets).toBe(0);
  });

  describe("a client that keeps sending requests and reads none of the responses, which have no bodies,", () => {
    const requests = 4_000;
    const responseHeadBytes = 8_000;

    async function sendAndReadNothing(): Promise<void> {
      target.service = (_exchange, response) => {
        const headers = new HeaderFields(["x", "y".repeat(responseHeadBytes)]);
        response.head({ status: 204, headers, bodyless: true });
        response.endResponse();
        return nowhere;
      };
      await target.start();
      target.peer.socket.pause();
      target.peer.send(...Array.from({ length: requests }, (_, i) => headers(2 * i + 1, get)));
      await expect.poll(() => target.reads).toBe(false);
      expect(target.exchanges.length).toBeLessThan(requests);
    }

    it("is not read from until it has read what there is, and is then served again", async () => {
      await sendAndReadNothing();
      target.peer.socket.resume();
      await target.peer.receiveType(HEADERS, 2 * requests - 1);
      expect(target.exchanges).toHaveLength(requests);
    });

    it("is cut off after the timeout", async () => {
      await sendAndReadNothing();
      target.pass(120_100);
      expect(target.refused).toEqual(["answer_not_taken"]);
      await expect.poll(() => target.openSockets).toBe(0);
    });
  });

  it("lets a slow reader have the last response of a connection that ends", async () => {
    const upstream = await target.startWaiting({}, initialWindow(0x7fffffff));
    const goaway = frame(GOAWAY, 0, 0, Buffer.alloc(8));
    target.peer.send(headers(1, get), frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)), goaway);
    await target.peer.roundTrip();
    target.peer.socket.pause();
    upstream.response.head(head);
    const chunk = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 200; i++) upstream.response.writeResponse(chunk);
    upstream.response.endResponse();
    target.pass(20_000);
    target.peer.socket.resume();
    await target.peer.receive(({ type, flags }) => type === DATA && (flags & END_STREAM) !== 0);
    const received = target.peer.frames.reduce(
      (sum, { type, payload }) => sum + (type === DATA ? payload.length : 0),
      0,
    );
    expect(received).toBe(200 * chunk.length);
    await target.peer.closed;
  });

  it("holds no more than its window of a stream that nobody reads", async () => {
    const upstream = await target.startWaiting();
    upstream.takesMore = false;
    target.peer.send(headers(1, post, END_HEADERS));
    for (let i = 0; i < 4; i++) target.peer.send(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    await target.peer.roundTrip();
    expect(target.peer.frames.filter(({ type, streamId }) => type === WINDOW_UPDATE && streamId === 1)).toEqual([]);
    target.peer.send(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    expect(await target.peer.resetOf(1)).toBe(FLOW_CONTROL_ERROR);
    await target.peer.roundTrip();
    expect(upstream.calls.map(([name]) => name)).toEqual(["write", "write", "write", "write", "abort"]);
  });
});
