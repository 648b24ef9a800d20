/** Bytes that come too early and look like requests: they are never read as requests, on any way in. */

import http from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DATA, END_HEADERS, END_STREAM, frame, HEADERS, headers, type Pairs } from "../sidecar/http2/raw-peer.ts";
import { AttackedMesh, http1Ways, http2Ways } from "./attacked-mesh.ts";

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/** A request as the application has read it. */
interface Seen {
  readonly line: string;
  readonly isUpgrade: boolean;
  body: string;
}

let mesh: AttackedMesh;
let seen: Seen[] = [];

/** Of a codec that is not ours. It answers as soon as a head is there. */
const application = http.createServer(answer);
application.on("checkContinue", (request, response) => {
  note(request);
  response.writeHead(413).end();
});
application.on("upgrade", (request, socket) => {
  if (request.url === "/declined") return void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nhello ");
  socket.on("data", (chunk: Buffer) => socket.write(`<${String(chunk)}>`));
  socket.on("end", () => socket.end(" goodbye"));
});

function note(request: http.IncomingMessage): void {
  const entry: Seen = { line: `${request.method} ${request.url}`, isUpgrade: "upgrade" in request.headers, body: "" };
  if (request.url !== "/witness") seen.push(entry);
  request.setEncoding("latin1").on("data", (text: string) => {
    entry.body += text;
  });
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  note(request);
  if (request.url !== "/in-chunks") return void response.end("ok");
  response.write("o");
  response.end("k");
}

beforeAll(async () => {
  mesh = await AttackedMesh.open();
  mesh.application.serve = (socket) => void application.emit("connection", socket);
  await mesh.witness();
});

beforeEach(() => {
  seen = [];
});

afterAll(() => mesh[Symbol.asyncDispose]());

/** When everything has come through that was sent before. */
async function linesSeen(): Promise<string[]> {
  await mesh.witness();
  return seen.map(({ line }) => line);
}

describe.each(Object.entries(http1Ways))("%s", (_way, enter) => {
  it("does not read a body as a request if it was refused before it was asked for", async () => {
    const fields = `Host: a\r\nExpect: 100-continue\r\nContent-Length: ${smuggled.length}\r\n`;
    const client = (await enter(mesh)).send(`POST /early HTTP/1.1\r\n${fields}\r\n`);
    await client.receive("HTTP/1.1 413");
    client.send(smuggled);
    await client.closed;
    expect(client.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(client.received).toContain("Connection: close\r\n");
    expect(await linesSeen()).toEqual(["POST /early"]);
  });

  it("reads a short body that is answered before it has arrived as a body, and what follows as the next request", async () => {
    const head = `POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n`;
    const client = (await enter(mesh)).send(head);
    await client.receive("\r\n\r\nok");
    client.received = "";
    client.send(`${smuggled}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.receive("\r\n\r\nok");
    expect(await linesSeen()).toEqual(["POST /early", "GET /next"]);
  });

  it("reads nothing after a chunked body that is answered before it has arrived", async () => {
    const client = (await enter(mesh)).send("POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    await client.receive("\r\n\r\nok");
    client.send(`0\r\n\r\n${smuggled}`);
    await client.closed;
    expect(await linesSeen()).toEqual(["POST /early"]);
  });

  it("forwards an upgrade with a body as a plain request", async () => {
    const upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    const head = `GET /chat HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: ${smuggled.length}\r\n\r\n`;
    const client = (await enter(mesh)).send(head + smuggled);
    await client.receive("\r\n\r\nok");
    await mesh.witness();
    expect(seen).toEqual([{ line: "GET /chat", isUpgrade: false, body: smuggled }]);
  });

  it("answers HTTP/1.0 requests one after the other, without chunks", async () => {
    const kept = "GET /early HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    const client = await enter(mesh);
    client.send(`${kept}${kept}GET /in-chunks HTTP/1.0\r\nHost: a\r\n\r\n${smuggled}`);
    await client.closed;
    expect(client.received.match(/HTTP\/1\.1 200 /g)).toHaveLength(3);
    expect(client.received).not.toMatch(/chunked/i);
    expect(client.received).toMatch(/\r\n\r\nok$/);
    expect(await linesSeen()).toEqual(["GET /early", "GET /early", "GET /in-chunks"]);
  });
});

describe.each(Object.entries(http2Ways))("%s", (_way, enter) => {
  const chat = (path: string): Pairs => [
    [":method", "CONNECT"],
    [":protocol", "chat"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "a"],
  ];

  it("forwards nothing that came before a declined switch", async () => {
    const peer = await enter(mesh);
    peer.send(headers(1, chat("/declined"), END_HEADERS), frame(DATA, END_STREAM, 1, Buffer.from(smuggled)));
    const head = await peer.receiveType(HEADERS, 1);
    expect(head?.payload.toString("latin1")).toContain("501");
    expect(await linesSeen()).toEqual([]);
    peer.socket.destroy();
  });

  it("forwards it after the switch, and carries what either end sends when the other has ended", async () => {
    const peer = await enter(mesh);
    peer.send(headers(1, chat("/chat"), END_HEADERS), frame(DATA, END_STREAM, 1, Buffer.from(smuggled)));
    await peer.receive(({ type, flags, streamId }) => type === DATA && streamId === 1 && (flags & END_STREAM) !== 0);
    const told = peer.frames.filter(({ type }) => type === DATA).map(({ payload }) => String(payload));
    expect(told.join("")).toBe(`hello <${smuggled}> goodbye`);
    peer.socket.destroy();
  });
});
