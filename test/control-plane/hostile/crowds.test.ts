/** Whoever takes all that a port has, takes it from itself: connections, handshakes, memory for what is half said or not read. */

import type net from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { framed } from "../../../proto/message-reader.ts";
import { encodeMessage } from "../../../proto/wire.ts";
import { DATA, END_HEADERS, frame, HEADERS, headers, type Pairs, uint32 } from "../../sidecar/http2/raw-peer.ts";
import { eventually } from "../../support/eventually.ts";
import { AttackedPlane, type Port, paths } from "./attacked-plane.ts";

/** A quarter as many at Identity. */
const maxConnections = { discovery: 160, identity: 40 };
const maxHandshakes = 50;

let plane: AttackedPlane;
beforeAll(async () => {
  plane = await AttackedPlane.open(
    "--max-connections",
    String(maxConnections.discovery),
    "--max-handshakes",
    String(maxHandshakes),
  );
}, 60_000);
afterAll(() => plane[Symbol.asyncDispose]());
afterEach(async () => {
  plane.hangUp();
  await eventually(async () => (await plane.connections("discovery")) === 1);
});

const ports: Port[] = ["discovery", "identity"];
const fields: Pairs = [
  [":method", "POST"],
  [":scheme", "https"],
  [":path", paths.discovery],
  [":authority", "tulle"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];
const hello = framed(encodeMessage("SidecarMessage", { hello: { namespace: "shop", workload: "w", pod: "p" } }));

function isOpen(socket: net.Socket): boolean {
  return !socket.destroyed && !socket.readableEnded;
}

/** In frames of the size that every peer takes. */
function data(streamId: number, bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16_384)
    parts.push(frame(DATA, 0, streamId, bytes.subarray(at, at + 16_384)));
  return Buffer.concat(parts);
}

describe.each(ports)("%s", (port) => {
  it("limits silent connections, and serves whoever comes then", async () => {
    const sockets: net.Socket[] = [];
    for (let i = 0; i < 600; i++) {
      const socket = await plane.dial(port);
      socket.resume();
      sockets.push(socket);
    }
    await plane.witness();
    await eventually(async () => (await plane.refused(port, "too_many")) >= 600 - maxHandshakes);
    expect(await plane.connections(port)).toBeLessThanOrEqual(maxHandshakes + 2);
    await eventually(() => sockets.filter(isOpen).length <= maxHandshakes);
    await plane.witness();
  });

  it("limits established connections, and serves whoever comes then", async () => {
    const before = await plane.refused(port, "too_many");
    const dialled = await Promise.allSettled(Array.from({ length: 40 }, () => plane.dialTls(port)));
    for (let i = 0; i < 4; i++)
      dialled.push(...(await Promise.allSettled(Array.from({ length: 40 }, () => plane.dialTls(port)))));
    const sockets = dialled.flatMap((one) => (one.status === "fulfilled" ? [one.value.resume()] : []));
    expect(sockets.length).toBeGreaterThanOrEqual(maxConnections[port] - 2);
    await plane.witness();
    expect(await plane.refused(port, "too_many")).toBeGreaterThan(before);
    expect(await plane.connections(port)).toBeLessThanOrEqual(maxConnections[port]);
    await plane.witness();
  });
});

describe("discovery", () => {
  it("limits the calls of one connection", async () => {
    const peer = await plane.peer("discovery");
    await peer.roundTrip();
    for (let id = 1; id < 100; id += 2) peer.send(headers(id, fields, END_HEADERS), data(id, hello));
    await plane.witness();
    await eventually(() => peer.isClosed || peer.frames.filter(({ type }) => type === HEADERS).length >= 2);
    expect(peer.frames.filter(({ type }) => type === HEADERS).length).toBeLessThanOrEqual(2);
    await plane.witness();
  });

  it("buffers nothing for a client that asks for much and reads none of it", async () => {
    const before = await plane.residentMiB();
    // A window of nothing (RFC 9113 §6.5.2).
    const nothing = Buffer.concat([Buffer.of(0, 4), uint32(0)]);
    for (let i = 0; i < 10; i++) {
      const peer = await plane.peer("discovery", nothing);
      peer.send(headers(1, fields, END_HEADERS), data(1, hello));
      for (let part = 0; part < 9; part++) {
        const subscriptions = Array.from({ length: 1_000 }, (_, at) => ({
          resource: { kind: "RESOURCE_KIND_ENDPOINTS", name: `${"n".repeat(400)}${part}-${at}` },
        }));
        peer.send(data(1, framed(encodeMessage("SidecarMessage", { subscribe: { subscriptions } }))));
      }
      await peer.roundTrip();
    }
    await plane.witness();
    // 90,000 subscriptions of ten clients, half a kilobyte each, and none of their answers.
    expect((await plane.residentMiB()) - before).toBeLessThan(250);
  });

  it("limits the memory for incomplete messages", async () => {
    const before = await plane.residentMiB();
    const refused = await plane.refused("discovery", "message_size");
    const half = Buffer.alloc(4 * 1024 * 1024 + 5);
    half.writeUInt32BE(8_000_000, 1);
    const attack = async (): Promise<void> => {
      const peer = await plane.peer("discovery");
      peer.send(headers(1, fields, END_HEADERS), data(1, hello), data(1, half));
      await peer.roundTrip();
    };
    for (let i = 0; i < 25; i++) await attack();
    await eventually(async () => (await plane.refused("discovery", "message_size")) > refused);
    expect((await plane.residentMiB()) - before).toBeLessThan(250);
    await plane.witness();
  });
});
