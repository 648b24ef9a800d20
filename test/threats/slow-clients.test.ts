/** The slow and the silent, on every way in: time closes them, and nobody else waits for them. Time goes by as the test says. */

import type net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  type Pairs,
  RST_STREAM,
  uint32,
} from "../sidecar/http2/raw-peer.ts";
import { HandClock } from "../support/hand-clock.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";

const ENHANCE_YOUR_CALM = 11;
const forA: Pairs = get.map((pair) => (pair[0] === ":authority" ? ([":authority", "a"] as const) : pair));

const clock = new HandClock(1_000_000);
let wheel: TimerWheel;
let mesh: AttackedMesh;

beforeEach(async () => {
  wheel = new TimerWheel(clock, { drive: false });
  mesh = await AttackedMesh.open("http1", { time: { clock, wheel } });
  await mesh.witness();
});

afterEach(() => mesh[Symbol.asyncDispose]());

function answerOnlyWitness(socket: net.Socket, text: string): void {
  if (text.includes("/witness")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/** Lets time go by until something holds. At each step the witness asks: others are served, and sockets get their turn. */
async function passUntil(holds: () => boolean, stepMs = 1000): Promise<void> {
  while (!holds()) {
    clock.advance(stepMs);
    wheel.advance();
    await mesh.witness();
  }
}

describe.each(Object.entries(http1Ways))("%s closes a client that", (_way, enter) => {
  it.each([
    ["stops inside its head", "GET / HTTP/1.1\r\nHost: a\r\nX: ", 1000, /^HTTP\/1\.1 408 /],
    ["stops inside its body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", 1000, /^HTTP\/1\.1 408 /],
    ["says nothing more after an answer", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10_000, /^HTTP\/1\.1 200 .*ok$/s],
  ])("%s", async (what, text, stepMs, answer) => {
    if (what.includes("body")) mesh.application.onData = answerOnlyWitness;
    const client = (await enter(mesh)).send(text);
    let isClosed = false;
    void client.closed.then(() => {
      isClosed = true;
    });
    await passUntil(() => isClosed, stepMs);
    expect(client.received).toMatch(answer);
  });
});

describe.each(Object.entries(http2Ways))("time ends, by %s,", (_way, enter) => {
  it("a field block that does not end", async () => {
    const peer = await enter(mesh);
    await peer.roundTrip();
    peer.send(frame(HEADERS, END_STREAM, 1, block(forA)));
    await passUntil(() => peer.isClosed);
    expect(await peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
  });

  it("a connection without streams", async () => {
    const peer = await enter(mesh);
    await peer.roundTrip();
    await passUntil(() => peer.isClosed, 10_000);
    expect(await peer.goawayCode()).toBe(0);
  });

  it("a stream whose window stays shut", async () => {
    const body = "x".repeat(100);
    mesh.application.onData = (socket, text) => {
      const answer = text.includes("/witness") ? "ok" : body;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
    };
    const peer = await enter(mesh, Buffer.concat([Buffer.of(0, 4), uint32(10)]));
    peer.send(headers(1, forA, END_HEADERS | END_STREAM));
    expect((await peer.receiveType(DATA, 1))?.payload).toHaveLength(10);
    await passUntil(
      () => peer.isClosed || peer.frames.some(({ type, streamId }) => type === RST_STREAM && streamId === 1),
    );
    await mesh.witness();
  });
});
