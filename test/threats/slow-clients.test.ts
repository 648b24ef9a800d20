/** Slow and silent clients, on every way in: timeouts close them, and nobody else waits for them. The test controls the clock. */

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
  RST_STREAM,
  uint32,
} from "../sidecar/http2/raw-peer.ts";
import { HandClock } from "../support/hand-clock.ts";
import { meshed } from "../support/sidecar-pair.ts";
import { AttackedMesh, forA, http1Ways, http2Ways } from "./attacked-mesh.ts";

const ENHANCE_YOUR_CALM = 11;
const asking = forA(get);

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

describe.each(Object.entries(http1Ways))("%s closes a body", (way, enter) => {
  it("that comes a byte at a time", async () => {
    mesh.application.onData = answerOnlyWitness;
    const client = (await enter(mesh)).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    let isClosed = false;
    void client.closed.then(() => {
      isClosed = true;
    });
    await passUntil(() => {
      if (!isClosed) client.send("x");
      return isClosed;
    }, 5_000);
    expect(client.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(mesh.refusedBy(way, "request_too_slow")).toBe(1);
  });
});

describe.each(Object.entries(http1Ways))("%s limits", (way, enter) => {
  it("requests that are sent without end while no response is read", async () => {
    const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const body = "x".repeat(50_000);
    mesh.application.onData = (socket, text) => {
      if (text.includes("/witness")) return answerOnlyWitness(socket, text);
      for (const _ of text.matchAll(/\r\n\r\n/g))
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    };
    const client = await enter(mesh);
    client.socket.pause();
    const batch = request.repeat(10_000);
    let isClosed = false;
    client.socket.on("close", () => {
      isClosed = true;
    });
    client.send(batch);
    const before = process.memoryUsage().rss;
    await passUntil(() => {
      if (!isClosed && client.socket.writableLength < batch.length) client.send(batch);
      return isClosed;
    }, 5_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    expect(mesh.refusedBy(way, "answer_not_taken")).toBe(1);
  }, 20_000);
});

describe.each(Object.entries(http2Ways))("%s bounds", (way, enter) => {
  it("requests that are sent without end, and none of their responses read, which have no bodies", async () => {
    const head = `HTTP/1.1 204 No Content\r\nX: ${"x".repeat(30_000)}\r\n\r\n`;
    let served = 0;
    mesh.application.onData = (socket, text) => {
      if (text.includes("/witness")) return answerOnlyWitness(socket, text);
      served++;
      socket.write(head);
    };
    const listener = way === "the mesh port" ? "plaintext" : way; // both count for the sidecar at the application
    const peer = await enter(mesh);
    await peer.roundTrip();
    peer.socket.pause();
    const before = process.memoryUsage().rss;
    let sent = 0;
    await passUntil(() => {
      if (served === sent) for (const end = sent + 200; sent < end; sent++) peer.send(headers(2 * sent + 1, asking));
      return mesh.refusedBy(listener, "answer_not_taken") === 1;
    }, 20_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    peer.socket.destroy();
  }, 20_000);
});

describe("a tunnel through the mesh", () => {
  const most = "x".repeat(8_000_000);
  const twentyMinutesMs = 20 * 60_000;

  async function rest(): Promise<void> {
    const untilMs = clock.now() + twentyMinutesMs;
    await passUntil(() => clock.now() >= untilMs, 10_000);
  }

  beforeEach(() => {
    const ports = [{ port: 8080, protocol: "opaque" }] as const;
    mesh.mesh.resources.set({ kind: "inbound", value: { name: "shop/a", ports } });
    mesh.mesh.service("a", [meshed(mesh.target.podIp, "a")], {}, "opaque");
  });

  it("waits for a client that reads nothing for twenty minutes", async () => {
    mesh.application.onData = (socket, text) =>
      text.includes("/witness") ? answerOnlyWitness(socket, text) : void socket.write(most);
    const client = mesh.upstream().send("all of it");
    await client.receive("x");
    client.socket.pause();
    await rest();
    client.socket.resume();
    expect(await client.receive(({ length }) => length >= most.length)).toBe(most);
  });

  it("waits for an application that reads nothing for twenty minutes", async () => {
    const reader = Promise.withResolvers<net.Socket>();
    let received = 0;
    mesh.application.onData = (socket, text) => {
      if (text.includes("/witness")) return answerOnlyWitness(socket, text);
      received += text.length;
      if (received === 1) reader.resolve(socket.pause());
    };
    const client = mesh.upstream().send("x");
    const socket = await reader.promise;
    client.send(most);
    await rest();
    socket.resume();
    await expect.poll(() => received, { timeout: 10_000 }).toBe(1 + most.length);
  });
});

it("closes the connection that has been idle longest if there are too many, and counts it", async () => {
  await using small = await AttackedMesh.open("http1", { maxConnections: 3 });
  await small.witness();
  const first = small.forwardProxy();
  const atRest = Promise.withResolvers<void>();
  void first.closed.then(() => atRest.resolve());
  const others = [small.forwardProxy(), small.forwardProxy()];
  await Promise.all(others.map((client) => client.send("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n").receive("ok")));
  const late = small.forwardProxy();
  expect(await late.send("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n").receive("ok")).toMatch(/^HTTP\/1\.1 200 /);
  await atRest.promise;
  await small.witness();
  expect(small.refusedBy("the forward proxy", "overloaded")).toBe(1);
});

describe.each(Object.entries(http2Ways))("time ends, by %s,", (_way, enter) => {
  it("a field block that does not end", async () => {
    const peer = await enter(mesh);
    await peer.roundTrip();
    peer.send(frame(HEADERS, END_STREAM, 1, block(asking)));
    await passUntil(() => peer.isClosed);
    expect(await peer.goawayCode()).toBe(ENHANCE_YOUR_CALM);
  });

  it("a connection without streams", async () => {
    const peer = await enter(mesh);
    await peer.roundTrip();
    await passUntil(() => peer.isClosed, 10_000);
    expect(await peer.goawayCode()).toBe(0);
  });

  it("a stream whose window stays closed", async () => {
    const body = "x".repeat(100);
    mesh.application.onData = (socket, text) => {
      const answer = text.includes("/witness") ? "ok" : body;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
    };
    const peer = await enter(mesh, Buffer.concat([Buffer.of(0, 4), uint32(10)]));
    peer.send(headers(1, asking, END_HEADERS | END_STREAM));
    expect((await peer.receiveType(DATA, 1))?.payload).toHaveLength(10);
    await passUntil(
      () => peer.isClosed || peer.frames.some(({ type, streamId }) => type === RST_STREAM && streamId === 1),
      5_000,
    );
    await mesh.witness();
  });
});
