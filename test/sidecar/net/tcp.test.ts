import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { proveSharedReads } from "../../../sidecar/net/shared-reads.ts";
import { dialTcp, serveTcp } from "../../../sidecar/net/tcp.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { type Listening, listen, RawClient, untilClosed } from "../../support/sockets.ts";

const clock = new HandClock();
const wheel = new TimerWheel(clock, { drive: false });

function pass(ms: number): void {
  clock.advance(ms);
  wheel.advance();
}

const open: Listening[] = [];

// As sidecars read: what is not asked for stays in the kernel.
beforeAll(async () => void (await proveSharedReads()));

afterEach(async () => {
  for (const listening of open.splice(0)) await listening.close();
});

async function listening(onConnection: (socket: net.Socket) => void): Promise<Listening> {
  const there = await listen(onConnection);
  open.push(there);
  return there;
}

const dialPort = (port: number): Service =>
  dialTcp(() => net.connect({ host: "127.0.0.1", port, allowHalfOpen: true }));

/** client ── serveTcp ▸ dialTcp ── server */
async function tunnel() {
  const served = Promise.withResolvers<net.Socket>();
  const accepted = Promise.withResolvers<net.Socket>();
  const server = await listening((socket) => served.resolve(socket));
  const proxy = await listening((socket) => {
    accepted.resolve(socket);
    serveTcp(socket, "db:5432", dialPort(server.port), wheel);
  });
  const client = new RawClient(proxy.port);
  return { client, far: await served.promise, near: await accepted.promise, server, proxy };
}

function text(socket: net.Socket): { received: string } {
  const read = { received: "" };
  socket.on("data", (chunk: Buffer) => {
    read.received += chunk.toString("latin1");
  });
  return read;
}

describe("a tunnel", () => {
  it("carries bytes both ways, whichever side speaks first", async () => {
    const { client, far } = await tunnel();
    far.write("220 ready\r\n");
    await client.receive("220 ready\r\n");
    client.send("\0\xff hello");
    const [chunk] = (await once(far, "data")) as [Buffer];
    expect(chunk.toString("latin1")).toBe("\0\xff hello");
  });

  it("lets the client end its half, and still receive the answer", async () => {
    const { client, far, near, proxy } = await tunnel();
    const read = text(far);
    client.socket.end("question");
    await once(far, "end");
    expect(read.received).toBe("question");
    far.end("answer");
    expect(await client.closed).toBe("ended");
    expect(client.received).toBe("answer");
    await eventually(() => near.destroyed && proxy.connections.size === 0);
  });

  it("lets the server end its half, and still receive from the client", async () => {
    const { client, far } = await tunnel();
    const read = text(far);
    client.socket.removeAllListeners("end");
    far.end("goodbye");
    await once(client.socket, "end");
    client.socket.end("one more thing");
    await once(far, "end");
    expect([client.received, read.received]).toEqual(["goodbye", "one more thing"]);
  });

  it("resets the server when the client breaks", async () => {
    const { client, far } = await tunnel();
    const broken = once(far, "error");
    client.socket.resetAndDestroy();
    expect(((await broken)[0] as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  });

  it("resets the client when the server breaks", async () => {
    const { client, far } = await tunnel();
    far.resetAndDestroy();
    expect(await client.closed).toBe("reset");
  });

  it("stops reading from an end while the other one does not read, and loses no byte", async () => {
    const { client, far, near } = await tunnel();
    far.pause();
    const total = 24 * 1024 * 1024;
    const chunk = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 251));
    for (let sent = 0; sent < total; sent += chunk.length) client.socket.write(chunk);
    client.socket.end();
    await eventually(() => near.isPaused());
    expect(near.bytesRead).toBeLessThan(total);
    let received = 0;
    far.on("data", (bytes: Buffer) => {
      for (let i = 0; i < bytes.length; i += 4_099) {
        if (bytes[i] !== ((received + i) % 65_536) % 251) throw new Error(`wrong byte at ${received + i}`);
      }
      received += bytes.length;
    });
    far.resume();
    await once(far, "end");
    expect(received).toBe(total);
  });
});

describe("an accepted connection", () => {
  async function accepted(service: Service, received?: Buffer) {
    const proxy = await listening((socket) => serveTcp(socket, "db:5432", service, wheel, received));
    return new RawClient(proxy.port);
  }

  it("becomes a CONNECT to its destination, with the bytes that were read before", async () => {
    const upstream = new RecordingUpstream();
    const client = await accepted(upstream.service, Buffer.from("early "));
    client.send("bird");
    await eventually(() => upstream.calls.length === 2);
    expect(upstream.exchange).toMatchObject({ method: "CONNECT", authority: "db:5432", bodyless: false });
    expect(upstream.calls).toEqual([
      ["write", "early "],
      ["write", "bird"],
    ]);
  });

  it("is reset when the tunnel is refused, and its request is ended", async () => {
    const upstream = new RecordingUpstream();
    const client = await accepted(upstream.service);
    await eventually(() => {
      try {
        upstream.response.head(responseHead(503));
        return true;
      } catch {
        return false;
      }
    });
    upstream.response.writeResponse(Buffer.from("The service has no ready endpoint."));
    upstream.response.endResponse();
    expect(await client.closed).toBe("reset");
    expect(client.received).toBe("");
    expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("waits for the end of a refusal, which says why, but not without limit", async () => {
    const upstream = new RecordingUpstream();
    const client = await accepted(upstream.service, Buffer.from("early"));
    await eventually(() => upstream.calls.length === 1);
    upstream.response.head(responseHead(503));
    expect(await client.closed).toBe("reset");
    const chunk = Buffer.alloc(30_000);
    upstream.response.writeResponse(chunk);
    upstream.response.writeResponse(chunk);
    expect(upstream.calls).toEqual([["write", "early"]]);
    upstream.response.writeResponse(chunk);
    upstream.response.writeResponse(chunk);
    expect(upstream.calls.slice(1)).toEqual([["abort", "upstream_closed"]]);
  });

  it("waits for the end of a refusal for 10 s", async () => {
    const upstream = new RecordingUpstream();
    const client = await accepted(upstream.service, Buffer.from("early"));
    await eventually(() => upstream.calls.length === 1);
    upstream.response.head(responseHead(503));
    expect(await client.closed).toBe("reset");
    pass(9_000);
    expect(upstream.calls).toHaveLength(1);
    pass(1_100);
    expect(upstream.calls.slice(1)).toEqual([["abort", "upstream_closed"]]);
    upstream.response.endResponse();
    expect(upstream.calls).toHaveLength(2);
  });

  it("is noticed to be gone even while it is not read, and not too early", async () => {
    const upstream = new RecordingUpstream();
    upstream.takesMore = false;
    const client = await accepted(upstream.service);
    client.send("more than is taken");
    await eventually(() => upstream.calls.length === 1);
    pass(61_000);
    expect(upstream.calls).toHaveLength(1);
    client.socket.resetAndDestroy();
    await client.closed;
    await eventually(() => {
      pass(61_000);
      return upstream.calls.length > 1;
    });
    expect(upstream.calls[1]).toEqual(["abort", "upstream_closed"]);
  });

  it("is read to its end, however slowly, when its client has sent everything and gone", async () => {
    const upstream = new RecordingUpstream();
    upstream.takesMore = false;
    const client = await accepted(upstream.service);
    client.send("first");
    await eventually(() => upstream.calls.length === 1);
    client.socket.end("last");
    await once(client.socket, "finish");
    client.socket.resetAndDestroy();
    await client.closed;
    upstream.response.resumeRequest();
    await eventually(() => upstream.calls.length === 2);
    pass(61_000);
    upstream.response.resumeRequest();
    await eventually(() => upstream.calls.length > 2);
    expect(upstream.calls).toEqual([
      ["write", "first"],
      ["write", "last"],
      ["end", []],
    ]);
  });

  it("is reset when the tunnel is refused before the service returns", async () => {
    const upstream = new RecordingUpstream();
    const client = await accepted((_exchange, response) => {
      response.head(responseHead(503));
      response.endResponse();
      return upstream;
    }, Buffer.from("early"));
    expect(await client.closed).toBe("reset");
    expect(upstream.calls).toEqual([["abort", "upstream_closed"]]);
  });

  it("ends its request when it had ended before it was served", async () => {
    const upstream = new RecordingUpstream();
    const proxy = await listening((socket) => {
      socket.on("end", () => serveTcp(socket, "db:5432", upstream.service, wheel, Buffer.from("all of it")));
      socket.resume();
    });
    new RawClient(proxy.port).socket.end();
    await eventually(() => upstream.calls.length === 2);
    expect(upstream.calls).toEqual([
      ["write", "all of it"],
      ["end", []],
    ]);
  });
});

describe("a dialled connection", () => {
  const connect = { method: "CONNECT", bodyless: false };

  it("opens the tunnel when it is established, and forwards what came before", async () => {
    const server = await listening((socket) => socket.pipe(socket));
    const caller = new RecordingCaller();
    const sink = dialPort(server.port)(exchangeOf(connect), caller);
    expect(caller.calls).toEqual([]);
    sink.writeRequest(Buffer.from("early"));
    sink.endRequest();
    await eventually(() => caller.calls.at(-1)?.[0] === "end");
    expect(caller.calls).toEqual([
      ["head", 200],
      ["write", "early"],
      ["end", []],
    ]);
  });

  it("fails as certainly unprocessed if nobody listens", async () => {
    const server = await listen(() => {});
    await server.close();
    const caller = new RecordingCaller();
    const processed: string[] = [];
    caller.abortResponse = (error) => {
      processed.push(`${error.code} ${error.processed}`);
    };
    dialPort(server.port)(exchangeOf(connect), caller).writeRequest(Buffer.from("early"));
    await eventually(() => processed.length > 0);
    expect(processed).toEqual(["connect_failed unprocessed"]);
  });

  it("blames the name if that does not resolve", async () => {
    const caller = new RecordingCaller();
    dialTcp(() => net.connect({ host: "nothing.invalid", port: 1 }))(exchangeOf(connect), caller);
    await eventually(() => caller.calls.length > 0);
    expect(caller.calls).toEqual([["abort", "destination_unknown"]]);
  });

  it("does not blame a name that could not be looked up for the moment", async () => {
    const caller = new RecordingCaller();
    const busy = Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN", syscall: "getaddrinfo" });
    const lookup = (_host: string, _options: object, done: (error: Error, found: []) => void) => done(busy, []);
    dialTcp(() => net.connect({ host: "orders.test", port: 1, lookup }))(exchangeOf(connect), caller);
    await eventually(() => caller.calls.length > 0);
    expect(caller.calls).toEqual([["abort", "connect_failed"]]);
  });

  it("gives up a connection that is not established in time", async () => {
    const caller = new RecordingCaller();
    const exchange = exchangeOf(connect);
    exchange.connectTimeoutMs = 1;
    const never = net.connect({ host: "nowhere.test", port: 1, lookup: () => {} });
    dialTcp(() => never)(exchange, caller);
    await eventually(() => caller.calls.length > 0);
    expect(caller.calls).toEqual([["abort", "connect_timeout"]]);
    expect(never.destroyed).toBe(true);
  });

  it("reports nothing to a caller that gave up before it was established", async () => {
    const server = await listening(() => {});
    const caller = new RecordingCaller();
    const socket = net.connect({ host: "127.0.0.1", port: server.port });
    const upstream = dialTcp(() => socket);
    upstream(exchangeOf(connect), caller).abortRequest(new MeshError("upstream_closed", "the caller is gone"));
    await untilClosed(socket);
    expect(caller.calls).toEqual([]);
  });
});
