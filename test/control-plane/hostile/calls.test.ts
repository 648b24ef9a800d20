/** Calls on the ports for sidecars that are none of gRPC's, or lie about what they say: each is told why it is refused. */

import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { framed } from "../../../proto/message-reader.ts";
import { AttackedPlane, call, type Port, paths } from "./attacked-plane.ts";

let plane: AttackedPlane;
beforeAll(async () => {
  plane = await AttackedPlane.open();
}, 60_000);
afterAll(() => plane[Symbol.asyncDispose]());

const ports: Port[] = ["discovery", "identity"];
/** A message's prefix, with nothing behind it. */
const prefix = (flag: number, length: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes[0] = flag;
  bytes.writeUInt32BE(length, 1);
  return bytes;
};

describe.each(ports)("%s refuses", (port) => {
  const { INVALID_ARGUMENT, UNIMPLEMENTED, RESOURCE_EXHAUSTED } = status;
  it.each([
    ["a method that is not there", { ":path": "/tulle.v1.Discovery/Steal" }, UNIMPLEMENTED, "method", "no such method"],
    ["a path without a method", { ":path": "/" }, UNIMPLEMENTED, "method", "no such method"],
    ["a GET", { ":method": "GET" }, UNIMPLEMENTED, "method", "no such method"],
    ["another type", { "content-type": "application/json" }, INVALID_ARGUMENT, "not_grpc", "content-type"],
    ["a type that only begins alike", { "content-type": "application/grpcs" }, INVALID_ARGUMENT, "not_grpc", "content"],
    ["no te", { te: undefined }, INVALID_ARGUMENT, "not_grpc", "te: trailers"],
    ["an encoding", { "grpc-encoding": "gzip" }, UNIMPLEMENTED, "compressed", "must not be compressed"],
  ])("%s", async (_, headers, code, reason, says) => {
    const before = await plane.refused(port, reason);
    const answer = await call(await plane.session(port), paths[port], { headers });
    const accepts = code === UNIMPLEMENTED ? "identity" : undefined;
    expect(answer).toMatchObject({ code, accepts, says: expect.stringContaining(says) as string });
    // To whoever does not speak gRPC, the status of HTTP says no.
    expect(answer.httpStatus).toBe("content-type" in headers ? 415 : 200);
    expect(await plane.refused(port, reason)).toBe(before + 1);
    await plane.witness();
  });

  it.each([
    ["that is compressed where no encoding was named", prefix(1, 3), UNIMPLEMENTED, "compressed", "compressed"],
    ["of 4 GiB", prefix(0, 0xff_ff_ff_ff), RESOURCE_EXHAUSTED, "message_size", "4294967295 bytes"],
    ["of a length that would be negative", prefix(0, 0x80_00_00_00), RESOURCE_EXHAUSTED, "message_size", "2147483648"],
    ["that is cut short", framed(Buffer.alloc(9)).subarray(0, 9), INVALID_ARGUMENT, "malformed", "cut short"],
    ["that is no message", framed(Buffer.alloc(20, 0xff)), INVALID_ARGUMENT, "malformed", ""],
  ])("a message %s", async (_, bytes, code, reason, says) => {
    const before = await plane.refused(port, reason);
    const answer = await call(await plane.session(port), paths[port], { bytes, ends: true });
    expect(answer).toMatchObject({ code, says: expect.stringContaining(says) as string });
    expect(await plane.refused(port, reason)).toBe(before + 1);
    await plane.witness();
  });

  it.each([
    ["says nothing of HTTP/2", [], "not_http2"],
    ["speaks something else", ["http/1.1"], "handshake"],
  ])("a connection that %s", async (_, ALPNProtocols, reason) => {
    const before = await plane.refused(port, reason);
    const socket = await plane.dialTls(port, { ALPNProtocols }).catch(() => undefined);
    socket?.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await expect.poll(() => plane.refused(port, reason)).toBe(before + 1);
    await plane.witness();
  });
});

describe("discovery", () => {
  it("refuses a message that expands into more than can be requested", async () => {
    // Each two octets are a subscription to nothing.
    const many = Buffer.alloc(4_000_000, Buffer.of(0x0a, 0x00));
    const length: number[] = [];
    for (let rest = many.length; rest > 0; rest >>>= 7) length.push(rest > 127 ? (rest & 127) | 128 : rest);
    const hello = framed(Buffer.from("0a0c0a0473686f701204657669 6c".replace(/ /g, ""), "hex"));
    const subscribe = framed(Buffer.concat([Buffer.of(0x12, ...length), many]));
    const answer = await call(await plane.session("discovery"), paths.discovery, {
      bytes: Buffer.concat([hello, subscribe]),
    });
    expect(answer).toMatchObject({
      code: status.INVALID_ARGUMENT,
      says: expect.stringContaining("more than") as string,
    });
    await plane.witness();
  });
});

describe("identity", () => {
  it.each([
    ["no request", Buffer.alloc(0), "not a request"],
    ["two", Buffer.concat([framed(Buffer.alloc(0)), framed(Buffer.alloc(0))]), "more than one request"],
  ])("requires exactly one request, and got %s", async (_, bytes, says) => {
    const answer = await call(await plane.session("identity"), paths.identity, { bytes, ends: true });
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, says });
    await plane.witness();
  });
});
