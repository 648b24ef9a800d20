/** HTTP/2 requests that would become another message as HTTP/1.1, and heads without end, on every way in for HTTP/2. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ok } from "../sidecar/http1/hostile-answers.ts";
import { malformedRequests, without } from "../sidecar/http2/hostile-requests.ts";
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  get,
  HEADERS,
  headers,
  indexedLiteral,
  type Pairs,
  post,
  type RawPeer,
} from "../sidecar/http2/raw-peer.ts";
import { AttackedMesh, forA, http2Ways } from "./attacked-mesh.ts";

const PROTOCOL_ERROR = 1;

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

async function expectServing(peer: RawPeer, streamId: number): Promise<void> {
  peer.send(headers(streamId, forA(get)));
  const answer = await peer.receiveType(DATA, streamId);
  expect(answer?.payload.toString()).toBe("ok");
}

describe.each(Object.entries(http2Ways))("%s", (_way, enter) => {
  it.each(Object.entries(malformedRequests))("resets %s before a byte is forwarded", async (_name, fields) => {
    const peer = await enter(mesh);
    peer.send(headers(1, forA(fields)));
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(await mesh.witness()).toBe("");
    peer.socket.destroy();
  });

  it.each([
    ["more", "12345"],
    ["less", "12"],
  ])("resets a body with %s DATA than content-length; the application never gets it complete", async (_name, body) => {
    const peer = await enter(mesh);
    peer.send(
      headers(1, forA([...post, ["content-length", "4"]]), END_HEADERS),
      frame(DATA, END_STREAM, 1, Buffer.from(body)),
    );
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(await mesh.witness()).toBe("");
    await expectServing(peer, 3);
    await mesh.witness();
    peer.socket.destroy();
  });

  it("drops trailers about framing, routing or authentication", async () => {
    mesh.application.onData = (socket, text) => {
      if (/x-sum: 1\r\n\r\n$|^GET \/witness /.test(text)) socket.write(ok);
    };
    const peer = await enter(mesh);
    const trailers: Pairs = [
      ["content-length", "9"],
      ["host", "b.test"],
      ["authorization", "x"],
      ["tulle-client-id", "x"],
      ["x-forwarded-for", "x"],
      ["x-sum", "1"],
    ];
    peer.send(headers(1, forA([...post, ["te", "trailers"]]), END_HEADERS), frame(DATA, 0, 1, Buffer.from("x")));
    peer.send(headers(1, trailers));
    expect((await peer.receiveType(DATA, 1))?.payload.toString()).toBe("ok");
    expect(await mesh.witness()).toMatch(/\r\n\r\n1\r\nx\r\n0\r\nx-sum: 1\r\n\r\n$/);
    mesh.application.onData = undefined;
    peer.socket.destroy();
  });

  it.each<[string, Buffer]>([
    ["field number 129", block(Array.from({ length: 129 }, (_, i) => [`x-${i}`, "1"] as const))],
    ["field number 1,001", block(Array.from({ length: 1001 }, () => ["x", "1"] as const))],
    ["one huge field", block([["x", "y".repeat(41_000)]])],
    ["cookie crumbs", block(Array.from({ length: 1100 }, () => ["cookie", "a=1"] as const))],
    ["an HPACK bomb", Buffer.concat([indexedLiteral("x", "y".repeat(4000)), Buffer.alloc(12_000, 0x80 | 62)])],
  ])("answers 431 to %s, and serves on", async (_name, fields) => {
    const peer = await enter(mesh);
    peer.sendHead(1, Buffer.concat([block(forA(get)), fields]));
    const head = await peer.receiveType(HEADERS, 1);
    expect(head?.payload.toString("latin1")).toContain("431");
    expect(await mesh.witness()).toBe("");
    await expectServing(peer, 3);
    await mesh.witness();
    peer.socket.destroy();
  });

  it("forwards every value of a field, and names that mean something to a careless map", async () => {
    const peer = await enter(mesh);
    const odd: Pairs = [
      ["__proto__", "1"],
      ["constructor", "2"],
      ["x_y", "3"],
      ["x-y", "4"],
      ["x-y", "5"],
    ];
    peer.send(headers(1, forA([...get, ...odd])));
    await peer.receiveType(DATA, 1);
    const got = await mesh.witness();
    for (const [name, value] of odd) expect(got.toLowerCase()).toContain(`\r\n${name}: ${value}\r\n`);
    peer.socket.destroy();
  });

  it.each<[string, Pairs]>([
    ["h2c", [[":method", "CONNECT"], [":protocol", "h2c"], ...without(":method")]],
    ["h2c of some version", [[":method", "CONNECT"], [":protocol", "h2c/1"], ...without(":method")]],
  ])("opens no tunnel for %s", async (_name, fields) => {
    const peer = await enter(mesh);
    peer.send(headers(1, forA(fields), END_HEADERS));
    expect(await peer.resetOf(1)).toBe(PROTOCOL_ERROR);
    expect(await mesh.witness()).toBe("");
    peer.socket.destroy();
  });
});
