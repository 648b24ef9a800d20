/** Requests with more than one reading, and bytes that parsers disagree about, on every way in for HTTP/1.1. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusedChunks, refusedFraming, refusedHeads } from "../sidecar/http1/hostile-requests.ts";
import { untilClosed } from "../support/sockets.ts";
import { AttackedMesh, http1Ways } from "./attacked-mesh.ts";

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(() => mesh[Symbol.asyncDispose]());

const statusOf: Record<string, number> = { bad_request: 400, unsupported: 501, uri_too_long: 414, head_too_large: 431 };
const smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const attempts: readonly (readonly [name: string, code: string, text: string])[] = [
  ...Object.entries(refusedHeads).map(([name, [code, text]]) => [name, code, text] as const),
  ...Object.entries(refusedFraming).map(
    ([name, [code, fields]]) => [name, code, `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${smuggled}`] as const,
  ),
  ...Object.entries(refusedChunks).map(
    ([name, chunks]) =>
      [
        `a chunked body with ${name}`,
        "bad_request",
        `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      ] as const,
  ),
  ["a head beyond the limit", "head_too_large", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n\r\n`],
  ["101 fields", "head_too_large", `GET / HTTP/1.1\r\nHost: a\r\n${"X: x\r\n".repeat(101)}\r\n`],
  ["field number 1,001", "head_too_large", `GET / HTTP/1.1\r\nHost: a\r\n${"X: x\r\n".repeat(1001)}\r\n`],
  ["a target beyond the limit", "uri_too_long", `GET /${"x".repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
];

/** Where the protocol is looked for, the preface of HTTP/2 is no HTTP/1.1 gone wrong. */
const isPreface = (text: string): boolean => text.startsWith("PRI *");

describe.each(Object.entries(http1Ways))("%s refuses, closes, and forwards no byte of:", (way, enter) => {
  it.each(attempts.filter(([, , text]) => way === "the forward proxy" || !isPreface(text)))(
    "%s",
    async (_name, code, text) => {
      const attacker = (await enter(mesh)).send(text);
      await attacker.closed;
      expect(attacker.received).toMatch(new RegExp(`^HTTP/1\\.1 ${statusOf[code]} `));
      expect(attacker.received).toContain(`tulle-error: ${code}\r\n`);
      expect(attacker.received).toContain("Connection: close\r\n");
      expect(attacker.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(await mesh.witness()).toBe("");
    },
  );
});

describe("the mesh port", () => {
  it.each([
    ["plaintext HTTP/1.1 inside TLS", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["an HTTP/1.1 upgrade to h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"],
    ["a smuggled prefix before the preface", "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("closes at %s", async (_name, text) => {
    const socket = await mesh.link();
    const closed = untilClosed(socket);
    socket.on("error", () => {}); // cut while we still write
    socket.resume();
    socket.write(text);
    await closed;
    expect(await mesh.witness()).toBe("");
  });
});
