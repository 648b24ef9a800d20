/** Frames that make work and ask for nothing, by whoever has a certificate or needs none: the connection ends, others are served. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { followMethod } from "../../../control-plane/replicas/replica-service.ts";
import { framed } from "../../../proto/message-reader.ts";
import { encodeMessage } from "../../../proto/wire.ts";
import {
  ACK,
  block,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  headers,
  type Pairs,
  PING,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "../../sidecar/http2/raw-peer.ts";
import { AttackedPlane, type Port, paths } from "./attacked-plane.ts";

let plane: AttackedPlane;
beforeAll(async () => {
  plane = await AttackedPlane.open();
}, 60_000);
afterAll(() => plane[Symbol.asyncDispose]());

const ports: Port[] = ["discovery", "identity"];
const CANCEL = uint32(8);
const times = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes));
const onStreams = (count: number, frames: (id: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => frames(2 * i + 1)));
const fields = (path: string): Pairs => [
  [":method", "POST"],
  [":scheme", "https"],
  [":path", path],
  [":authority", "tulle"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];
const open = (path: string, id: number): Buffer => headers(id, fields(path), END_HEADERS);

const floods: Record<string, (path: string) => Buffer> = {
  "rapid reset": (path) => onStreams(1_000, (id) => Buffer.concat([open(path, id), frame(RST_STREAM, 0, id, CANCEL)])),
  "MadeYouReset by a WINDOW_UPDATE of 0": (path) =>
    onStreams(1_000, (id) => Buffer.concat([open(path, id), frame(WINDOW_UPDATE, 0, id, uint32(0))])),
  "empty CONTINUATION without end": (path) =>
    Buffer.concat([frame(HEADERS, 0, 1, block(fields(path))), times(2_000, frame(CONTINUATION, 0, 1))]),
  "large CONTINUATION without end": (path) =>
    Buffer.concat([
      frame(HEADERS, 0, 1, block(fields(path))),
      times(50, frame(CONTINUATION, 0, 1, block([["x", "y".repeat(16_000)]]))),
    ]),
  PING: () => times(5_000, frame(PING, 0, 0, Buffer.alloc(8))),
  SETTINGS: () => times(5_000, frame(SETTINGS, 0, 0)),
  "empty DATA": (path) => Buffer.concat([open(path, 1), times(5_000, frame(DATA, 0, 1))]),
  "acknowledgements of SETTINGS": () => times(5_000, frame(SETTINGS, ACK, 0)),
};

const asReplica: [string, string, Buffer, string] = [
  "by which only replicas follow each other",
  followMethod,
  framed(Buffer.alloc(0)),
  "identity",
];
const withMadeUpToken: [string, string, Buffer, string] = [
  "for a certificate, with a token that nobody gave out",
  paths.identity,
  framed(encodeMessage("IssueRequest", { token: "made-up", csrDer: Buffer.of(1) })),
  "certificate",
];

it("ends a connection for streams that a sidecar begins and ends, without end", async () => {
  const before = await plane.refused("discovery", "flood");
  const hello = framed(encodeMessage("SidecarMessage", { hello: { namespace: "shop", workload: "w", pod: "fickle" } }));
  const peer = await plane.peer("discovery");
  for (let id = 1; id < 2_000 && !peer.isClosed; id += 2) {
    peer.send(open(paths.discovery, id), frame(DATA, END_STREAM, id, hello));
    await peer.roundTrip();
  }
  await peer.closed;
  expect(await plane.refused("discovery", "flood")).toBe(before + 1);
  expect(plane.said("sidecar connected").filter(({ pod }) => pod === "fickle").length).toBeLessThan(500);
  await plane.witness();
});

describe.each(ports)("%s ends a connection for", (port) => {
  const counted = async (): Promise<number> =>
    (await plane.refused(port, "flood")) + (await plane.refused(port, "protocol"));

  it.each(Object.entries(floods))("%s", async (_, bytes) => {
    const before = await counted();
    const peer = await plane.peer(port);
    peer.send(bytes(paths[port]));
    await plane.witness();
    // By a word, or by a reset where it has not listened to the end.
    await peer.closed;
    await expect.poll(counted).toBe(before + 1);
    await plane.witness();
  });

  const refusedCalls: [says: string, path: string, message: Buffer, reason: string][] = [
    ["of a method that is not there", "/none", Buffer.alloc(0), "method"],
    ...(port === "discovery" ? [asReplica] : [withMadeUpToken]),
  ];
  it.each(refusedCalls)("calls %s, without end", async (_, path, message, reason) => {
    const before = await plane.refused(port, "flood");
    const peer = await plane.peer(port);
    for (let id = 1; id < 1_000 && !peer.isClosed; id += 2) {
      peer.send(open(path, id), frame(DATA, END_STREAM, id, message));
      await peer.roundTrip();
    }
    await peer.closed;
    expect(await plane.refused(port, "flood")).toBe(before + 1);
    expect(await plane.refused(port, reason)).toBeGreaterThan(50);
    await plane.witness();
  });
});
