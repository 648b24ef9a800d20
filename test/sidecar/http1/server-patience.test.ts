import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import type { Proxy, UpstreamConnection } from "./proxy.ts";
import { exchange, get, ok, proxy, start } from "./serving.ts";

describe("flow control", () => {
  it("asks the upstream to stop while the client does not read", async () => {
    const { client, upstream } = await exchange(get);
    client.socket.pause();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n");
    const part = "x".repeat(1_000_000);
    for (let i = 0; i < 30; i++) upstream.send(part);
    await eventually(() => [...proxy.connections].some((connection) => connection.outbox.congested));
    const unsent = Math.max(...[...proxy.connections].map((connection) => connection.outbox.unsentBytes));
    expect(unsent).toBeLessThan(1_000_000);
    client.socket.resume();
    const answer = await client.receive((text) => text.length > 30_000_000);
    expect(answer.endsWith("x")).toBe(true);
  });

  it("asks the client to stop while the upstream does not read", async () => {
    const { client, upstream } = await exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
    upstream.socket.pause();
    const part = "x".repeat(1_000_000);
    for (let i = 0; i < 30; i++) client.send(part);
    await eventually(() => client.socket.writableLength > 5_000_000);
    upstream.socket.resume();
    await eventually(() => upstream.received.length > 30_000_000);
    upstream.send(ok);
    expect(await client.receive("ok")).toBe(ok);
  });
});

describe("timeouts", () => {
  it("answers 408 to a head that takes more than 10 s, even if it keeps dribbling", async () => {
    const { client, advance, connections, refusals } = await start();
    const slow = client().send("GET / HT");
    await eventually(() => [...connections].some((connection) => connection.insideHead));
    advance(9_000);
    slow.send("TP/1.1\r\n");
    advance(2_000);
    await slow.closed;
    expect(slow.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(refusals).toEqual(["request_too_slow"]);
  });

  it("answers 408 to a body that stalls", async () => {
    const { client, upstream, advance } = await exchange(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
      {},
      "ab",
    );
    advance(121_000);
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 408 /);
    await upstream.closed;
  });

  it("answers 408 to a body of known length that dribbles, but gives a conversation time", async () => {
    const { client, nextUpstream, advance, refusals } = await start();
    const dribbling = client().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    const one = await nextUpstream();
    const talking = client().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const other = await nextUpstream();
    dribbling.send("x".repeat(6_000));
    await one.receive("x".repeat(6_000));
    for (let minute = 1; minute <= 2; minute++) {
      dribbling.send("y");
      talking.send("1\r\nz\r\n");
      await one.receive("y".repeat(minute));
      await other.receive("1\r\nz\r\n".repeat(minute));
      expect(refusals).toEqual([]);
      advance(60_500);
    }
    await dribbling.closed;
    expect(dribbling.received).toMatch(/^HTTP\/1\.1 408 /);
    other.send(ok);
    expect(await talking.receive("ok")).toBe(ok);
  });

  it("closes a connection that is idle for 10 min, without a response", async () => {
    const { client, advance, connections } = await start();
    const idle = client();
    await eventually(() => connections.size > 0);
    advance(599_000);
    expect(idle.socket.closed).toBe(false);
    advance(2_000);
    await idle.closed;
    expect(idle.received).toBe("");
  });

  it("waits for a slow response", async () => {
    const { client, upstream, advance } = await exchange(get);
    advance(3_600_000);
    upstream.send(ok);
    expect(await client.receive("ok")).toBe(ok);
  });

  it("cuts off a client that reads nothing", async () => {
    const { client, upstream, advance, allClosed, refusals } = await exchange(get);
    client.socket.pause();
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n${"x".repeat(30_000_000)}`);
    await eventually(() => [...proxy.connections].some((connection) => connection.outbox.congested));
    advance(121_000);
    await allClosed();
    await upstream.closed;
    expect([proxy.pool.size, refusals]).toEqual([0, ["answer_not_taken"]]);
  });

  it.each([
    ["a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"],
    ["a body without a length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1c9c380\r\n"],
  ])("notices that a client has gone that was asked to wait with %s", async (_what, head) => {
    const { client, upstream, advance, allClosed } = await exchange(head);
    upstream.socket.pause();
    client.send("x".repeat(30_000_000));
    await eventually(() => client.socket.writableLength > 5_000_000);
    advance(121_000);
    expect(proxy.connections.size).toBe(1);
    client.socket.resetAndDestroy();
    await client.closed;
    await eventually(() => {
      advance(61_000);
      return [...proxy.connections].length === 0;
    });
    await allClosed();
    upstream.socket.resume();
    await upstream.closed;
  });

  it("closes the socket even if a refused client neither reads nor closes", async () => {
    const { client, advance, allClosed, refusals } = await start();
    const stubborn = client();
    stubborn.socket.removeAllListeners("end");
    stubborn.send("BAD\r\n\r\n");
    stubborn.socket.pause();
    await eventually(() => refusals.length > 0);
    advance(2_100);
    advance(2_100);
    await allClosed();
    expect(refusals).toEqual(["bad_request"]);
  });
});

describe("drain", () => {
  const only = (connections: Proxy["connections"]) => {
    const [connection] = connections;
    if (connection === undefined) throw new Error("no connection");
    return connection;
  };

  it("closes an idle connection", async () => {
    const { client, connections } = await start();
    const idle = client();
    await eventually(() => connections.size > 0);
    only(connections).drain();
    expect(await idle.closed).toBe("ended");
  });

  it("lets the exchange in progress finish, and says that it is the last", async () => {
    const { client, upstream, connections } = await exchange(get);
    only(connections).drain();
    upstream.send(ok);
    await client.closed;
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });

  it("closes after a response that had begun", async () => {
    const { client, upstream, connections } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    await client.receive("\r\n\r\no");
    only(connections).drain();
    upstream.send("k");
    expect(await client.closed).toBe("ended");
    expect(client.received).toBe(ok);
  });

  const last = ok.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
  const answering = {
    upstream: (connection: UpstreamConnection) => connection.socket.on("data", () => connection.send(ok)),
  };

  it("that only sends callers away answers one more request on an idle connection, as its last", async () => {
    const { client, connections } = await start(answering);
    const kept = client().send(get);
    await kept.receive(ok);
    only(connections).leave();
    kept.send(get);
    expect(await kept.closed).toBe("ended");
    expect(kept.received).toBe(ok + last);
  });

  it("that only sends callers away waits, after a response that had begun, for a request that may be on its way", async () => {
    const { client, upstream, connections } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    await client.receive("\r\n\r\no");
    only(connections).leave();
    upstream.send("k");
    await client.receive("ok");
    client.send(get);
    await eventually(() => upstream.received.endsWith("\r\n\r\n") && upstream.received.split("GET ").length === 3);
    upstream.send(ok);
    expect(await client.closed).toBe("ended");
    expect(client.received).toBe(ok + last);
  });

  it("that only sends callers away closes a connection after a second without a request", async () => {
    const { client, connections, advance } = await start(answering);
    const kept = client().send(get);
    await kept.receive(ok);
    only(connections).leave();
    advance(900);
    expect(kept.socket.readyState).toBe("open");
    advance(200);
    expect(await kept.closed).toBe("ended");
  });
});
