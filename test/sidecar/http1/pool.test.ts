import * as net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { Http1Pool } from "../../../sidecar/http1/pool.ts";
import { Exchange, type RequestSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { listen } from "../../support/sockets.ts";
import { type Proxy, type ProxyOptions, startProxy, type UpstreamConnection } from "./proxy.ts";

const closers: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options?: ProxyOptions): Promise<Proxy> {
  const proxy = await startProxy(options);
  closers.push(proxy.close);
  return proxy;
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A request given straight to a pool, and what came of it. */
interface Tried {
  readonly sink: RequestSink;
  readonly status: () => number | undefined;
  readonly error: () => MeshError | undefined;
  readonly ended: () => boolean;
}

function send(pool: Http1Pool, method = "GET", path = "/", body?: string): Tried {
  let status: number | undefined;
  let error: MeshError | undefined;
  let ended = false;
  const headers = new HeaderFields(body === undefined ? [] : ["content-length", String(body.length)]);
  const exchange = new Exchange({
    method,
    authority: "a",
    path,
    scheme: "http",
    headers,
    bodyless: body === undefined,
  });
  const sink = pool.request(exchange, {
    informational: () => undefined,
    head: (head) => {
      status = head.status;
    },
    writeResponse: () => true,
    endResponse: () => {
      ended = true;
    },
    abortResponse: (why) => {
      error = why;
    },
    resumeRequest: () => undefined,
  });
  if (body !== undefined) sink.writeRequest(Buffer.from(body));
  sink.endRequest();
  return { sink, status: () => status, error: () => error, ended: () => ended };
}

/** One exchange through to its end, on whatever connection the pool takes. */
async function run(pool: Http1Pool, upstream: UpstreamConnection, path: string, answer = ok): Promise<void> {
  const tried = send(pool, "GET", path);
  await upstream.receive(`GET ${path} `);
  upstream.send(answer);
  await eventually(tried.ended);
}

/** A pool whose first connection has served one request and lies idle. */
async function warm(answer = ok, options?: ProxyOptions) {
  const proxy = await start(options);
  const tried = send(proxy.pool, "GET", "/warm");
  const upstream = await proxy.nextUpstream();
  await upstream.receive("/warm");
  upstream.send(answer);
  await eventually(tried.ended);
  return { ...proxy, upstream };
}

describe("reuse", () => {
  it("uses the connection that was used last", async () => {
    const { pool, nextUpstream, upstream: first } = await warm();
    const a = send(pool, "GET", "/a");
    const b = send(pool, "GET", "/b");
    const second = await nextUpstream();
    await first.receive("/a");
    await second.receive("/b");
    first.send(ok);
    await eventually(a.ended);
    second.send(ok);
    await eventually(b.ended);
    await run(pool, second, "/c");
    expect(pool.connectCount).toBe(2);
  });

  it("drops a connection after 4 s without a request", async () => {
    const { upstream, advance, pool } = await warm();
    advance(3_900);
    expect(pool.size).toBe(1);
    advance(200);
    await upstream.closed;
    expect(pool.size).toBe(0);
  });

  it("uses a connection for 80 % of the time that the server allows", async () => {
    const { upstream, advance, pool } = await warm(`HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\n${ok.slice(17)}`);
    advance(47_000);
    expect(pool.size).toBe(1);
    advance(1_100);
    await upstream.closed;
  });

  it("sends a POST only on a connection that was idle for less than a second", async () => {
    const { pool, upstream, advance, nextUpstream } = await warm();
    advance(900);
    const soon = send(pool, "POST", "/soon", "x");
    await upstream.receive("/soon");
    upstream.send(ok);
    await eventually(soon.ended);
    advance(1_000);
    send(pool, "POST", "/late", "x");
    const fresh = await nextUpstream();
    await fresh.receive("/late");
    expect(upstream.received).not.toContain("/late");
  });

  it("shares no connection that NTLM or Negotiate has bound", async () => {
    const { pool, upstream } = await warm("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
    await upstream.closed;
    expect(pool.size).toBe(0);
  });

  it("drops a connection that the server closes", async () => {
    const { pool, upstream } = await warm();
    upstream.socket.end();
    await eventually(() => pool.size === 0);
    expect(pool.closeRaceCount).toBe(0);
  });
});

describe("the keep-alive race", () => {
  it("repeats a GET once on a fresh connection, unnoticed", async () => {
    const { pool, upstream, nextUpstream } = await warm();
    const raced = send(pool, "GET", "/raced");
    await upstream.receive("/raced");
    upstream.socket.resetAndDestroy();
    const fresh = await nextUpstream();
    await fresh.receive("/raced");
    fresh.send(ok);
    await eventually(raced.ended);
    expect([raced.status(), raced.error(), pool.closeRaceCount]).toEqual([200, undefined, 1]);
  });

  it("does not repeat it a second time", async () => {
    const { pool, upstream, nextUpstream } = await warm();
    const raced = send(pool, "GET", "/raced");
    await upstream.receive("/raced");
    upstream.socket.destroy();
    const fresh = await nextUpstream();
    await fresh.receive("/raced");
    fresh.socket.destroy();
    await eventually(() => raced.error() !== undefined);
    expect(raced.error()?.code).toMatch(/^upstream_/);
    expect(pool.connectCount).toBe(2);
  });

  it("does not repeat a request once a byte of the response has arrived", async () => {
    const { pool, upstream } = await warm();
    const raced = send(pool, "GET", "/raced");
    await upstream.receive("/raced");
    upstream.send("H");
    await eventually(() => upstream.socket.bytesWritten > ok.length && upstream.socket.writableLength === 0);
    upstream.socket.end();
    await eventually(() => raced.error() !== undefined);
    expect(raced.error()).toMatchObject({ code: "upstream_closed", processed: "maybe" });
    expect(pool.connectCount).toBe(1);
  });

  it("does not repeat a POST or a request with a body", async () => {
    for (const [method, body] of [
      ["POST", undefined],
      ["PUT", "x"],
    ] as const) {
      const { pool, upstream } = await warm();
      const raced = send(pool, method, "/raced", body);
      await upstream.receive("/raced");
      upstream.socket.destroy();
      await eventually(() => raced.error() !== undefined);
      expect(raced.error()?.processed).toBe("maybe");
      expect(pool.connectCount).toBe(1);
    }
  });

  it("does not repeat a request that failed on a fresh connection", async () => {
    const { pool, nextUpstream } = await start();
    const tried = send(pool);
    const upstream = await nextUpstream();
    await upstream.receive("GET");
    upstream.socket.destroy();
    await eventually(() => tried.error() !== undefined);
    expect(pool.connectCount).toBe(1);
  });

  it("halves the idle limit with each race, and lengthens it again with each late reuse that succeeds", async () => {
    const { pool, upstream, nextUpstream, advance } = await warm();
    const raced = send(pool, "GET", "/raced");
    await upstream.receive("/raced");
    upstream.socket.destroy();
    const fresh = await nextUpstream();
    await fresh.receive("/raced");
    fresh.send(ok);
    await eventually(raced.ended);
    advance(1_900);
    await run(pool, fresh, "/late");
    advance(2_100);
    expect(pool.size).toBe(1);
    advance(200);
    await fresh.closed;
  });
});

describe("connecting", () => {
  it("says that a refused connection saw nothing of the request", async () => {
    const closed = await listen(() => undefined);
    await closed.close();
    const clock = new HandClock();
    const pool = new Http1Pool((onread) => net.connect({ host: "127.0.0.1", port: closed.port, onread }), {
      clock,
      timers: new TimerWheel(clock, { drive: false }),
      peer: "127.0.0.1:1",
    });
    const tried = send(pool, "POST", "/", "x");
    await eventually(() => tried.error() !== undefined);
    expect(tried.error()).toMatchObject({ code: "connect_failed", processed: "unprocessed" });
    expect(tried.error()?.message).toContain("127.0.0.1:1");
    expect(pool.size).toBe(0);
  });

  it("gives up a connection that is not established in time", async () => {
    const clock = new HandClock();
    const timers = new TimerWheel(clock, { drive: false });
    const socket = new net.Socket();
    Object.defineProperty(socket, "connecting", { value: true });
    const pool = new Http1Pool(() => socket, { clock, timers });
    const tried = send(pool);
    clock.advance(990);
    timers.advance();
    expect(tried.error()).toBeUndefined();
    clock.advance(30);
    timers.advance();
    expect(tried.error()).toMatchObject({ code: "connect_timeout", processed: "unprocessed" });
    expect(socket.destroyed).toBe(true);
    expect(pool.size).toBe(0);
  });

  it("queues requests beyond the limit of connections, in order, and refuses those beyond the queue", async () => {
    const { pool, nextUpstream } = await start({ pool: { maxConnections: 1, maxQueued: 2 } });
    const [a, b, c, d] = ["/a", "/b", "/c", "/d"].map((path) => send(pool, "GET", path));
    expect([a, b, c].map((tried) => tried?.error())).toEqual([undefined, undefined, undefined]);
    const upstream = await nextUpstream();
    for (const [path, tried] of [
      ["/a", a],
      ["/b", b],
      ["/c", c],
    ] as const) {
      await upstream.receive(path);
      upstream.send(ok);
      await eventually(() => tried?.ended() === true);
    }
    expect(pool.connectCount).toBe(1);
    expect(d?.error()).toMatchObject({ code: "overloaded", processed: "unprocessed" });
  });

  it("drops a waiting request when its caller leaves", async () => {
    const { pool, nextUpstream } = await start({ pool: { maxConnections: 1 } });
    const a = send(pool, "GET", "/a");
    const b = send(pool, "GET", "/b");
    const c = send(pool, "GET", "/c");
    b.sink.abortRequest(new MeshError("upstream_closed", "gone"));
    const upstream = await nextUpstream();
    await upstream.receive("/a");
    upstream.send(ok);
    await upstream.receive("/c");
    upstream.send(ok);
    await eventually(c.ended);
    expect([a.status(), b.status(), b.error()]).toEqual([200, undefined, undefined]);
    expect(upstream.received).not.toContain("/b");
  });

  it("opens another connection for a waiting request when one dies", async () => {
    const { pool, nextUpstream } = await start({ pool: { maxConnections: 1 } });
    const a = send(pool, "GET", "/a");
    const b = send(pool, "GET", "/b");
    const first = await nextUpstream();
    await first.receive("/a");
    first.socket.destroy();
    const second = await nextUpstream();
    await second.receive("/b");
    second.send(ok);
    await eventually(b.ended);
    expect(a.error()).toBeDefined();
  });

  it("makes room for a request if no idle connection is fresh enough", async () => {
    const { pool, upstream, nextUpstream, advance } = await warm(ok, { pool: { maxConnections: 1 } });
    advance(1_500);
    send(pool, "POST", "/late", "x");
    await upstream.closed;
    const fresh = await nextUpstream();
    await fresh.receive("/late");
    expect(pool.size).toBe(1);
  });

  it("closes idle connections at once and busy ones after their exchange, and accepts nothing more", async () => {
    const { pool, upstream } = await warm();
    const running = send(pool, "GET", "/running");
    await upstream.receive("/running");
    pool.close();
    upstream.send(ok);
    await eventually(running.ended);
    await upstream.closed;
    expect(send(pool).error()).toMatchObject({ code: "connect_failed", processed: "unprocessed" });
    expect(pool.size).toBe(0);
  });
});

it("fails no other request when a dial fails whose request was given up", async () => {
  const upstream = await listen((socket) => socket.on("data", () => socket.write(ok)));
  const dead = await listen(() => undefined);
  await dead.close();
  closers.push(() => upstream.close());
  const ports = [dead.port, upstream.port];
  const clock = new HandClock(0);
  const pool = new Http1Pool((onread) => net.connect({ host: "127.0.0.1", port: ports.shift() ?? 0, onread }), {
    clock,
    timers: new TimerWheel(clock, { drive: false }),
  });
  closers.push(() => pool.close());

  const given = send(pool);
  given.sink.abortRequest(new MeshError("upstream_closed", "the caller is gone"));
  const other = send(pool);

  await eventually(other.ended);
  expect([other.status(), pool.connectCount]).toEqual([200, 2]);
});
