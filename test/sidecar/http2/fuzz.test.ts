/** Any frames, lawful or not, against both ends over real sockets: nothing throws, nothing stays behind. */

import { once } from "node:events";
import * as net from "node:net";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import { serveHttp2 } from "../../../sidecar/http2/server.ts";
import { type Listening, listen, untilClosed } from "../../support/sockets.ts";
import { echo, options, send } from "./peers.ts";
import { block, frame, get, post, preface, uint32 } from "./raw-peer.ts";

const streamId = fc.constantFrom(0, 1, 1, 1, 2, 3, 3, 5, 7, 0x7fffffff);
const flags = fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 0xff);
const payload = fc.oneof(
  fc.constantFrom(
    block(get),
    block(post),
    block([["x", "1"]]),
    block([[":status", "200"]]),
    block([[":status", "103"]]),
  ),
  fc.constantFrom(uint32(0), uint32(1), uint32(8), uint32(0x7fffffff), Buffer.alloc(8), Buffer.alloc(0)),
  fc.constantFrom(Buffer.concat([Buffer.from([0, 4]), uint32(0)]), Buffer.concat([Buffer.from([0, 1]), uint32(0)])),
  fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
);
const frames = fc.array(
  fc.tuple(fc.nat(10), flags, streamId, payload).map((parts) => frame(...parts)),
  { minLength: 1, maxLength: 25 },
);

/** Sends the bytes, ends, and waits until the socket is gone. */
async function endWith(socket: net.Socket, bytes: Buffer): Promise<void> {
  const closed = untilClosed(socket);
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.resume();
  socket.end(bytes);
  await closed;
}

it("leaves no stream and no socket of a server behind", async () => {
  const servers: ReturnType<typeof serveHttp2>[] = [];
  const listening: Listening = await listen((socket) => servers.push(serveHttp2(socket, echo, options)));
  await fc.assert(
    fc.asyncProperty(frames, async (sent) => {
      const socket = net.connect({ host: "127.0.0.1", port: listening.port, allowHalfOpen: true });
      await endWith(socket, Buffer.concat([preface, frame(4, 0, 0), ...sent]));
    }),
    { numRuns: 300 },
  );
  await expect.poll(() => listening.connections.size).toBe(0);
  expect(new Set(servers.map(({ state, activeStreams }) => `${state} ${activeStreams}`))).toEqual(
    new Set(["closed 0"]),
  );
  await listening.close();
});

it("leaves every request of a client answered or aborted, and no stream open", async () => {
  const codes = new Set<string | undefined>();
  await fc.assert(
    fc.asyncProperty(frames, async (sent) => {
      const listening = await listen((socket) => void endWith(socket, Buffer.concat([frame(4, 0, 0), ...sent])));
      const socket = net.connect(listening.port, "127.0.0.1");
      await once(socket, "connect");
      const client = new Http2Client(socket, options);
      const closed = new Promise<void>((resolve) => {
        client.onClosed = () => resolve();
      });
      const answers = [send(client.request), send(client.request, { bodyless: false }, Buffer.alloc(100))];
      for (const { ended } of answers) codes.add((await ended)?.code);
      await closed;
      expect([client.activeStreams, client.state]).toEqual([0, "closed"]);
      await listening.close();
    }),
    { numRuns: 200 },
  );
  expect(codes).toContain("upstream_closed");
  expect(codes).toContain("bad_response");
});
