/** The port of calls that stay open, over real mutual TLS: what it takes, how it ends them, and whom it takes for dead. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type net from "node:net";
import tls from "node:tls";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ServerCall } from "../../../control-plane/grpc/server-call.ts";
import { StreamServer, type StreamServerOptions } from "../../../control-plane/grpc/stream-server.ts";
import { framed } from "../../../proto/message-reader.ts";
import {
  ACK,
  END_HEADERS,
  frame,
  HEADERS,
  headers,
  type Pairs,
  PING,
  preface,
  RawPeer,
  RST_STREAM,
  SETTINGS,
  uint32,
} from "../../sidecar/http2/raw-peer.ts";
import { TestAuthority, workloadId } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { dialRaw, untilClosed } from "../../support/sockets.ts";

const path = "/test.Echo/Stream";

let ca: TestAuthority;
let server: StreamServer | undefined;
let port: number;
const sockets = new Set<net.Socket>();

/** Answers each message with the same. */
function echo(call: ServerCall): void {
  call.open();
  call.listen({ message: (bytes) => call.write(framed(bytes)), halfClosed: () => call.end(status.OK) });
}

async function serve(options: Partial<StreamServerOptions> = {}): Promise<void> {
  server = new StreamServer({
    methods: new Map([[path, echo]]),
    certificate: ca.serverCertificate,
    clients: "certificate-required",
    maxMessageBytes: 1_000,
    maxCallsPerConnection: 4,
    clock: performance,
    ...options,
  });
  port = await server.listen("127.0.0.1", 0);
}

beforeEach(async () => {
  ca = await TestAuthority.open();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await server?.close(0);
  await ca[Symbol.asyncDispose]();
});

async function dial(): Promise<tls.TLSSocket> {
  const { certificateChainPem, privateKeyPem, trustBundlePem } = ca.credentials(workloadId("web"));
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    cert: certificateChainPem,
    key: privateKeyPem,
    ca: trustBundlePem,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  sockets.add(socket);
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** Answers PINGs, as whatever speaks HTTP/2 does. */
async function connect(): Promise<ClientHttp2Session> {
  const socket = await dial();
  const session = http2.connect("https://tulle", { createConnection: () => socket });
  session.on("error", () => {});
  return session;
}

interface Spoken {
  readonly stream: ClientHttp2Stream;
  heard: Buffer;
  /** `grpc-status` and `grpc-message`. */
  readonly said: Promise<readonly [string, string | undefined]>;
}

function call(session: ClientHttp2Session, changed: http2.OutgoingHttpHeaders = {}): Spoken {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...changed,
  });
  const { promise: said, resolve } = Promise.withResolvers<readonly [string, string | undefined]>();
  const take = (fields: http2.IncomingHttpHeaders): void => {
    if (fields["grpc-status"] === undefined) return;
    resolve([String(fields["grpc-status"]), fields["grpc-message"]?.toString()]);
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("error", () => {});
  const spoken = { stream, heard: Buffer.alloc(0), said };
  stream.on("data", (chunk: Buffer) => (spoken.heard = Buffer.concat([spoken.heard, chunk])));
  return spoken;
}

const head = (path: string): Pairs => [
  [":method", "POST"],
  [":scheme", "https"],
  [":path", path],
  [":authority", "x"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];

describe("a call", () => {
  it("goes both ways, message by message, and ends with its status", async () => {
    await serve();
    const spoken = call(await connect());
    const messages = Buffer.concat([framed(Buffer.from("one")), framed(Buffer.from("two"))]);
    spoken.stream.write(messages);
    await eventually(() => spoken.heard.equals(messages));
    spoken.stream.end();
    expect(await spoken.said).toEqual(["0", undefined]);
  });

  it("says in plain words why it ends, and what is written after that is dropped", async () => {
    const refuse = (one: ServerCall): void => {
      one.listen({
        message: () => {
          one.end(status.PERMISSION_DENIED, "not you, 100 %: zu spät 🕰 ");
          one.end(status.OK);
          expect(one.write(framed(Buffer.from("late")))).toBe(true);
        },
      });
      one.open();
    };
    await serve({ methods: new Map([[path, refuse]]) });
    const spoken = call(await connect());
    spoken.stream.write(framed(Buffer.from("hello")));
    expect(await spoken.said).toEqual(["7", "not you, 100 %25: zu sp%C3%A4t %F0%9F%95%B0%20"]);
    await untilClosed(spoken.stream);
    expect(spoken.heard).toHaveLength(0);
  });

  it.each([
    ["of another method", { ":path": "/test.Echo/Other" }],
    ["that is no POST", { ":method": "GET" }],
  ])("%s is not implemented", async (_, headers) => {
    await serve();
    const spoken = call(await connect(), headers);
    expect((await spoken.said)[0]).toBe(String(status.UNIMPLEMENTED));
  });

  it("that its client resets before any message ends, and harms no other", async () => {
    let taken = 0;
    let closed = 0;
    const silent = (one: ServerCall): void => {
      taken++;
      one.listen({ halfClosed: () => one.end(status.OK), closed: () => closed++ });
    };
    await serve({
      methods: new Map([
        [path, echo],
        ["/test.Silent/Stream", silent],
      ]),
    });
    const raw = await dial();
    raw.write(Buffer.concat([preface, frame(SETTINGS, 0, 0)]));
    for (const [streamId, code] of [
      [1, http2.constants.NGHTTP2_NO_ERROR],
      [3, http2.constants.NGHTTP2_CANCEL],
    ] as const) {
      raw.write(headers(streamId, head("/test.Silent/Stream"), END_HEADERS));
      await eventually(() => taken === (streamId + 1) / 2);
      raw.write(frame(RST_STREAM, 0, streamId, uint32(code)));
    }
    await eventually(() => closed === 2);
    const spoken = call(await connect());
    spoken.stream.end();
    expect(await spoken.said).toEqual(["0", undefined]);
  });

  it("with a message that is too long is ended before the message is read", async () => {
    await serve();
    const spoken = call(await connect());
    spoken.stream.write(framed(Buffer.alloc(1_001)));
    expect(await spoken.said).toEqual([String(status.RESOURCE_EXHAUSTED), "a message of 1001 bytes"]);
  });

  it("knows its client's certificate, and is notified once when the client is gone", async () => {
    const seen: (Buffer | undefined)[] = [];
    let closed = 0;
    const watch = (one: ServerCall): void => {
      seen.push(one.certificateDer);
      one.listen({ closed: () => closed++ });
    };
    await serve({ methods: new Map([[path, watch]]) });
    const session = await connect();
    call(session);
    await eventually(() => seen.length === 1);
    expect(seen[0]?.includes(workloadId("web"))).toBe(true);
    session.destroy();
    await eventually(() => closed === 1);
  });
});

describe("a connection", () => {
  const timing = { lookMs: 10, askMs: 50, deadMs: 1_000, idleMs: 1_000 };

  it("that answers a PING stays, one that is silent is ended", async () => {
    const ended: string[] = [];
    const watch = (one: ServerCall): void => {
      const port = one.caller;
      one.open();
      one.listen({ closed: () => ended.push(port) });
    };
    await serve({ methods: new Map([[path, watch]]), timing });
    const [silent, alive] = [await dial(), await connect()];
    const { localPort } = silent;
    const { stream } = call(alive);
    await once(stream, "response");
    // A connection by its preface and SETTINGS, and a call on it; after that not a word.
    silent.write(Buffer.concat([preface, frame(SETTINGS, 0, 0), headers(1, head(path), END_HEADERS)]));
    await once(silent.resume(), "close");
    expect(ended).toEqual([`127.0.0.1:${localPort}`]);
    expect(stream.closed).toBe(false);
  });

  it("has the full time to answer a PING, however late that was sent", async () => {
    const clock = new HandClock();
    let look = (): void => {};
    const every = (_periodMs: number, call: () => void): (() => void) => {
      look = call;
      return () => {};
    };
    const hold = (one: ServerCall): void => {
      one.open();
      one.listen({});
    };
    await serve({ methods: new Map([[path, hold]]), clock, every, timing: { askMs: 40_000, deadMs: 50_000 } });
    const [silent, other] = [new RawPeer(await dial()), new RawPeer(await dial())];
    silent.send(preface, frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0), headers(1, head(path), END_HEADERS));
    await silent.receiveType(HEADERS, 1);
    other.send(preface, frame(SETTINGS, 0, 0), headers(1, head(path), END_HEADERS));
    const afterMs = async (ms: number): Promise<number> => {
      clock.advance(ms);
      await other.roundTrip();
      look();
      await other.roundTrip();
      return silent.frames.filter(({ type, flags }) => type === PING && flags === 0).length;
    };
    // What came so far is seen.
    await afterMs(0);
    expect(await afterMs(39_999)).toBe(0);
    // The server itself was held up: nobody has been asked yet, so nobody is late.
    expect(await afterMs(60_000)).toBe(1);
    expect(await afterMs(9_999)).toBe(1);
    expect(silent.isClosed).toBe(false);
    await afterMs(1);
    await silent.closed;
    expect(other.isClosed).toBe(false);
  });

  it("whose machine vanished is found by the kernel", async () => {
    await serve();
    const { localPort = 0 } = await dial();
    // Ports in hexadecimal; the timer 02 is that of keep-alive: proc(5), and proc_net_tcp.rst of the kernel.
    const [own, other] = [port, localPort].map((number) => `:${number.toString(16).toUpperCase().padStart(4, "0")}`);
    const hasKeepAlive = async (): Promise<boolean> => {
      const rows = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((row) => row.trim().split(/\s+/));
      return rows.some(
        ([, from, to, , , timer]) => from?.endsWith(own ?? "") && to?.endsWith(other ?? "") && timer?.startsWith("02:"),
      );
    };
    await expect.poll(hasKeepAlive).toBe(true);
  });

  it("without a call is ended too", async () => {
    await serve({ timing });
    const session = await connect();
    await untilClosed(session);
    expect(session.destroyed).toBe(true);
  });

  it("whose handshake takes too long is ended, and counted", async () => {
    const refused: string[] = [];
    const events = { opened: () => {}, closed: () => {}, refused: (why: string) => refused.push(why) };
    await serve({ timing: { handshakeMs: 50 }, events });
    const socket = dialRaw({ host: "127.0.0.1", port });
    sockets.add(socket);
    // The first octets of a ClientHello, and then none (RFC 8446 §5.1).
    socket.resume().write(Buffer.of(22, 3, 1, 2, 0, 1));
    await untilClosed(socket);
    await eventually(() => refused.length > 0);
    expect(refused).toEqual(["handshake"]);
  });

  it("in the middle of its handshake does not delay the end", async () => {
    await serve();
    const socket = dialRaw({ host: "127.0.0.1", port });
    sockets.add(socket);
    await once(socket, "connect");
    const session = await connect();
    const { stream } = call(session);
    await once(stream, "response");
    await server?.close(0);
    await untilClosed(session);
    await eventually(() => socket.destroyed);
    expect(stream.destroyed).toBe(true);
  });

  it("may finish its calls when the server closes, within the grace", async () => {
    await serve();
    const session = await connect();
    const spoken = call(session);
    await once(spoken.stream, "response");
    const closing = server?.close(20_000);
    await once(session, "goaway");
    spoken.stream.end(framed(Buffer.from("last")));
    expect(await spoken.said).toEqual(["0", undefined]);
    expect(spoken.heard).toEqual(framed(Buffer.from("last")));
    await closing;
    await expect(dial()).rejects.toThrow("ECONNREFUSED");
  });

  it("gets the current certificate", async () => {
    await serve();
    const before = (await dial()).getPeerX509Certificate()?.serialNumber;
    server?.rotate(ca.serverCertificate);
    const after = (await dial()).getPeerX509Certificate()?.serialNumber;
    expect(after).not.toBe(before);
  });
});

it("says in one line that its port is taken", async () => {
  await serve();
  const second = new StreamServer({
    methods: new Map(),
    certificate: ca.serverCertificate,
    clients: "certificate-required",
    maxMessageBytes: 1,
    maxCallsPerConnection: 1,
    clock: performance,
  });
  await expect(second.listen("127.0.0.1", port)).rejects.toThrow(/^can't listen: listen EADDRINUSE/);
});
