/** Ends that die at every byte of an exchange: everyone notices, nothing throws, and nothing stays open. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DATA, END_HEADERS, frame, headers, post, RST_STREAM, uint32 } from "../sidecar/http2/raw-peer.ts";
import { eventually } from "../support/eventually.ts";
import { AttackedMesh, forA, http1Ways, http2Ways } from "./attacked-mesh.ts";

const request =
  "POST http://a/die HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";
const sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

let mesh: AttackedMesh;
const uncaught: Error[] = [];
const note = (error: Error): void => {
  uncaught.push(error);
};

beforeAll(async () => {
  process.on("uncaughtException", note);
  mesh = await AttackedMesh.open();
  await mesh.witness();
});

afterAll(async () => {
  process.off("uncaughtException", note);
  await mesh[Symbol.asyncDispose]();
});

/** Settles when the witness's own connection to the application is all that is left. Resolves with what was thrown. */
async function baseline(): Promise<readonly Error[]> {
  mesh.application.onData = undefined;
  await mesh.witness();
  await eventually(() => mesh.application.sockets.size <= 1);
  return uncaught;
}

describe("an application that dies", () => {
  it.each([
    ["a chunked answer, by a reset", chunked, "reset"],
    ["a chunked answer, by a clean end", chunked, "end"],
    ["a sized answer, by a reset", sized, "reset"],
    ["a sized answer, by a clean end", sized, "end"],
  ] as const)("at every byte of %s: 502 or a cut, never a complete response", async (_name, answer, how) => {
    const whole = answer.length;
    for (let length = 0; length < whole; length++) {
      mesh.application.onData = (socket) => {
        socket.write(answer.slice(0, length), () => (how === "end" ? socket.end() : socket.resetAndDestroy()));
      };
      const client = mesh.upstream().send("GET /die HTTP/1.1\r\nHost: a\r\n\r\n");
      const told = client.receive((text) => text.includes("tulle-error")).then(() => "told");
      const ending = await Promise.race([client.closed, told.catch(() => "ended")]);
      expect(client.received).toMatch(ending === "told" ? /^HTTP\/1\.1 50[23] / : /^(?:HTTP\/1\.1 200 |$)/);
      expect(client.received.endsWith("0\r\nX: y\r\n\r\n") || client.received.endsWith("\r\n\r\nhello")).toBe(false);
      client.socket.destroy();
    }
    expect(await baseline()).toEqual([]);
  });
});

describe.each(Object.entries(http1Ways))("a client by %s", (way, enter) => {
  it("that dies at every byte of its request leaves nothing behind", async () => {
    const text = way === "the forward proxy" ? request : request.replace("http://a", "");
    for (let length = 1; length < text.length; length++) {
      const client = await enter(mesh);
      client.send(text.slice(0, length));
      if (length % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.end();
      await client.closed;
    }
    expect(await baseline()).toEqual([]);
  });
});

describe.each(Object.entries(http2Ways))("a peer by %s", (_way, enter) => {
  const asking = forA(post);

  it("that dies at every byte of its request leaves nothing behind", async () => {
    const bytes = Buffer.concat([headers(1, asking, END_HEADERS), frame(DATA, 1, 1, Buffer.from("hello"))]);
    for (let length = 1; length < bytes.length; length += 3) {
      const peer = await enter(mesh);
      peer.send(bytes.subarray(0, length));
      peer.socket.destroy();
      await peer.closed;
    }
    expect(await baseline()).toEqual([]);
  });

  it("that continues a stream which it has reset gets an error, or is ignored", async () => {
    const peer = await enter(mesh);
    peer.send(headers(1, asking, END_HEADERS), frame(RST_STREAM, 0, 1, uint32(8)));
    peer.send(frame(DATA, 0, 1, Buffer.from("late")), frame(RST_STREAM, 0, 1, uint32(8)));
    await peer.closed;
    expect(await peer.goawayCode()).toBe(5);
    expect(await baseline()).toEqual([]);
  });
});
