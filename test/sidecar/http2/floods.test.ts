/** Threat 9: frames that make work and carry nothing. */

import { describe, expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import { attackedServer } from "./attacked-server.ts";
import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  PING,
  PRIORITY,
  post,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "./raw-peer.ts";

const REFUSED_STREAM = 7;

const target = attackedServer();

describe("threat 9: floods end in GOAWAY ENHANCE_YOUR_CALM", () => {
  it("rapid reset: upstream work is cancelled", async () => {
    const upstream = await target.startWaiting();
    for (let id = 1; id < 2 * 1000; id += 2) target.peer.send(headers(id, get), frame(RST_STREAM, 0, id, uint32(8)));
    expect(await target.calms()).toBe(true);
    expect(target.exchanges.length).toBeLessThanOrEqual(502);
    expect(upstream.calls.filter(([name]) => name === "abort")).toHaveLength(target.exchanges.length);
  });

  it("but not cancellation at an honest rate", async () => {
    await target.startWaiting();
    for (let id = 1; id < 2 * 1000; id += 2) {
      target.peer.send(headers(id, get), frame(RST_STREAM, 0, id, uint32(8)));
      await target.peer.roundTrip();
      target.pass(20);
    }
    expect(target.exchanges).toHaveLength(1000);
    expect(target.connection.state).toBe("open");
  });

  it("nor many requests that time out at once", async () => {
    await target.startWaiting();
    for (let first = 1; first < 2 * 2000; first += 400) {
      const ids = Array.from({ length: 200 }, (_, i) => first + 2 * i);
      target.peer.send(...ids.map((id) => headers(id, get)));
      await target.peer.roundTrip();
      target.pass(100);
      target.peer.send(...ids.map((id) => frame(RST_STREAM, 0, id, uint32(8))));
      await target.peer.roundTrip();
    }
    expect(target.exchanges).toHaveLength(2000);
    expect(target.connection.state).toBe("open");
  });

  it("nor a WINDOW_UPDATE with each of many requests", async () => {
    target.service = (_exchange, response) => {
      response.head({ status: 204, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
      return new RecordingUpstream();
    };
    await target.start();
    for (let id = 1; id < 2 * 5000; id += 2) target.peer.send(headers(id, get), frame(WINDOW_UPDATE, 0, id, uint32(1)));
    await target.peer.roundTrip();
    expect(target.exchanges).toHaveLength(5000);
    expect(target.connection.state).toBe("open");
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
    const upstream = await target.startWaiting();
    for (let id = 1; id < 2 * 1000; id += 2) target.peer.send(headers(id, get), breach(id));
    expect(await target.calms()).toBe(true);
    expect(target.exchanges.length).toBeLessThanOrEqual(502);
    expect(upstream.calls.filter(([name]) => name === "abort")).toHaveLength(target.exchanges.length);
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["small", block([["x", "y".repeat(100)]])],
    ["large", block([["x", "y".repeat(16_000)]])],
  ])("%s CONTINUATION without end", async (_name, part) => {
    await target.start();
    target.peer.send(frame(HEADERS, END_STREAM, 1, block(get)));
    for (let i = 0; i < 2000; i++) target.peer.send(frame(CONTINUATION, 0, 1, part));
    expect(await target.calms()).toBe(true);
    expect(target.exchanges).toEqual([]);
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
    const upstream = await target.startWaiting();
    target.peer.send(headers(1, post, END_HEADERS), headers(3, get), frame(RST_STREAM, 0, 3, uint32(8)));
    for (let i = 0; i < 50; i++) target.peer.send(Buffer.concat(Array.from({ length: 100 }, () => bytes)));
    expect(await target.calms()).toBe(true);
    expect(upstream.calls.at(-1)).toEqual(["abort", "upstream_closed"]);
  });

  it("refuses streams beyond the limit as not processed", async () => {
    await target.startWaiting({ maxConcurrentStreams: 2 });
    target.peer.send(headers(1, get), headers(3, get), headers(5, get));
    expect(await target.peer.resetOf(5)).toBe(REFUSED_STREAM);
    expect(target.exchanges).toHaveLength(2);
    target.peer.send(frame(RST_STREAM, 0, 1, uint32(8)), headers(7, get));
    await target.peer.roundTrip();
    expect(target.exchanges).toHaveLength(3);
  });
});
