/** Attempts to turn an HTTP connection into a tunnel past every rule, and connections that don't speak HTTP. */

import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { DATA, END_HEADERS, frame, HEADERS, headers } from "../sidecar/http2/raw-peer.ts";
import { workloadId } from "../support/authority.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";

let mesh: AttackedMesh;

afterEach(() => mesh[Symbol.asyncDispose]());

const upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

describe.each(Object.entries(http1Ways))("%s", (_way, enter) => {
  it("does not forward what follows an upgrade answered with 200 as a request", async () => {
    mesh = await AttackedMesh.open();
    const client = (await enter(mesh)).send(upgrade + smuggled);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 [2-5]/);
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await mesh.witness()).not.toContain("smuggled");
  });

  it.each(["h2c", "H2C", "h2c/1"])("does not forward an upgrade to %s", async (protocol) => {
    mesh = await AttackedMesh.open();
    const fields = `Connection: upgrade, http2-settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n`;
    const client = (await enter(mesh)).send(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    expect(await client.receive("\r\n\r\nok")).toMatch(/^HTTP\/1\.1 200 /);
    expect((await mesh.witness()).toLowerCase()).not.toMatch(/upgrade|http2-settings/);
  });

  it("switches only on 101, and then carries raw bytes both ways", async () => {
    mesh = await AttackedMesh.open();
    mesh.application.onData = (socket, text) => {
      if (!text.includes("HTTP/1.1")) return void socket.write(`<${text}>`);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    };
    const client = (await enter(mesh)).send(upgrade);
    expect(await client.receive("HTTP/1.1 101")).toMatch(/upgrade: websocket\r\n/i);
    client.send("\0raw");
    expect(await client.receive("<\0raw>")).toMatch(/\r\n\r\n<\0raw>$/);
  });
});

it.each(Object.entries(http2Ways))("by %s no CONNECT opens a tunnel to an HTTP port", async (_way, enter) => {
  mesh = await AttackedMesh.open();
  const peer = await enter(mesh);
  const authority = `${mesh.target.podIp}:8080`;
  const spoofed = `GET /smuggled HTTP/1.1\r\nHost: a\r\ntulle-client-id: ${workloadId("admin")}\r\n\r\n`;
  peer.send(
    headers(
      1,
      [
        [":method", "CONNECT"],
        [":authority", authority],
      ],
      END_HEADERS,
    ),
  );
  peer.send(frame(DATA, 0, 1, Buffer.from(spoofed)));
  const head = await peer.receiveType(HEADERS, 1);
  expect(head?.payload.toString("latin1")).toContain("501");
  expect(await mesh.witness()).toBe("");
  peer.socket.destroy();
});

describe("the forward proxy", () => {
  it.each([15_001, 15_006, 15_008, 15_020])("refuses a loop through its own port %i", async (port) => {
    mesh = await AttackedMesh.open();
    const own = `${mesh.web.podIp}:${port}`;
    const asked = mesh.forwardProxy().send(`GET http://${own}/ HTTP/1.1\r\nHost: ${own}\r\n\r\n`);
    await asked.receive("tulle-error: loop_detected\r\n");
    expect(asked.received).toMatch(/^HTTP\/1\.1 508 /);
    const tunnel = mesh.forwardProxy().send(`CONNECT ${own} HTTP/1.1\r\nHost: ${own}\r\n\r\n${smuggled}`);
    await tunnel.closed;
    expect(tunnel.received).not.toContain("smuggled");
    expect(await mesh.witness()).toBe("");
  });
});

describe("while the protocol is detected", () => {
  it.each([
    ["an explicit upstream", http1Ways["an explicit upstream"]],
    ["a tunnel through the forward proxy", http1Ways["a tunnel through the forward proxy"]],
    ["plaintext", http1Ways.plaintext],
  ])("%s lets a server speak first", async (_way, enter) => {
    mesh = await AttackedMesh.open("detect");
    mesh.application.greeting = "220 ready\r\n";
    const client = await enter(mesh);
    await client.receive("220 ready\r\n");
    client.send("EHLO a\r\n");
    await expect.poll(() => mesh.application.received).toBe("EHLO a\r\n");
  });

  it("a client that stalls within a method is treated as opaque, and not held", async () => {
    mesh = await AttackedMesh.open("detect");
    const client = mesh.upstream();
    await once(client.socket, "connect");
    client.send("GE");
    await expect.poll(() => mesh.application.received).toBe("GE");
  });

  it("a port that is declared as HTTP/1.1 forwards nothing else, and answers no TLS", async () => {
    mesh = await AttackedMesh.open("http1");
    for (const bytes of ["\x16\x03\x01\x02\x00", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-x\r\n"]) {
      const client = mesh.upstream().send(bytes);
      await client.closed;
      expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(await mesh.witness()).toBe("");
  });
});
