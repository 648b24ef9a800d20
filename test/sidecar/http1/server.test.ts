import { afterEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Exchange, Layer, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { eventually } from "../../support/eventually.ts";
import { type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";

let proxy: Proxy;

async function start(options?: ProxyOptions): Promise<Proxy> {
  proxy = await startProxy(options);
  return proxy;
}

afterEach(async () => {
  await proxy.close();
});

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** One exchange whose request has reached the upstream as far as `until`. */
async function exchange(request: string, options?: ProxyOptions, until = "\r\n\r\n") {
  const started = await start(options);
  const client = started.client().send(request);
  const upstream = await started.nextUpstream();
  await upstream.receive(until);
  return { ...started, client, upstream };
}

/** A service of the test's own, which keeps what it is given. */
function service(answer: (response: ResponseSink, exchange: Exchange) => void) {
  const events: string[] = [];
  const responses: ResponseSink[] = [];
  const layer: Layer = () => (exchange, response) => {
    const sink: RequestSink = {
      writeRequest: (chunk) => {
        events.push(`body ${chunk.length}`);
        return true;
      },
      endRequest: () => void events.push("end"),
      abortRequest: (error: MeshError) => void events.push(`abort ${error.code}`),
      resumeResponse: () => void events.push("resume"),
    };
    responses.push(response);
    answer(response, exchange);
    return sink;
  };
  return { layer, events, responses };
}

function answerWith(status: number, body: string): (response: ResponseSink) => void {
  return (response) => {
    response.head({ status, headers: new HeaderFields(["content-length", String(body.length)]), bodyless: false });
    response.writeResponse(Buffer.from(body));
    response.endResponse();
  };
}

describe("framing of answers", () => {
  it("passes a known length on", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send(ok);
    expect(await client.receive("ok")).toBe(ok);
  });

  it("makes chunks of a body that ends with the connection", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\n\r\nhello").socket.end();
    expect(await client.receive("0\r\n\r\n")).toBe(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
  });

  it("passes trailers on", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nCookie: x\r\n\r\n");
    expect(await client.receive("x-sum")).toMatch(/0\r\nx-sum: 1\r\n\r\n$/);
  });

  it("sends HTTP/1.0 no chunks, and closes where it has no length", async () => {
    const { client, upstream } = await exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(upstream.received).toBe("GET / HTTP/1.1\r\nHost: \r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n");
    await client.closed;
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
  });

  it("keeps HTTP/1.0 open if asked and the length is known", async () => {
    const { client, upstream } = await exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    upstream.send("HTTP/1.1 103 Early Hints\r\n\r\n").send(ok);
    expect(await client.receive("ok")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
    client.send("GET /again HTTP/1.0\r\n\r\n");
    await upstream.receive("/again");
    upstream.send(ok);
    await client.closed;
    expect(client.received).toMatch(/Connection: close\r\n\r\nok$/);
  });

  it("closes when the client asks for it", async () => {
    const { client, upstream } = await exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(upstream.received).toBe(get);
    upstream.send(ok);
    expect(await client.closed).toBe("ended");
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });

  it("keeps the length of the answer to HEAD, and goes on", async () => {
    const { client, upstream } = await exchange(get.replace("GET", "HEAD"));
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    client.send(get);
    await upstream.receive("GET");
    upstream.send(ok);
    expect(await client.receive("ok")).toContain(ok);
  });

  it("writes no body fields with 204 and 304", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toBe("HTTP/1.1 204 No Content\r\n\r\n");
    client.received = "";
    client.send(get.replace("/", "/2"));
    await upstream.receive("/2");
    upstream.send("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toBe("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
  });

  it("says so if an answer is empty though its status could have a body", async () => {
    const { layer } = service((response) => {
      response.head({ status: 200, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
    });
    const { client } = await start({ layer });
    expect(await client().send(get).receive("\r\n\r\n")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });

  it("writes known names in their usual case, others lower", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 Fine\r\ncontent-LENGTH: 0\r\nETAG: 1\r\nX-OWN: 2\r\nwww-authenticate: Basic\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toBe(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: 1\r\nx-own: 2\r\nWWW-Authenticate: Basic\r\n\r\n",
    );
  });

  it("cuts an answer that breaks its own length", async () => {
    for (const body of ["o", "okk"]) {
      const { layer, events } = service((response) => {
        response.head({ status: 200, headers: new HeaderFields(["content-length", "2"]), bodyless: false });
        response.writeResponse(Buffer.from(body));
        response.endResponse();
      });
      const { client } = await start({ layer });
      await client().send(get).closed;
      expect(events).toEqual(["abort bad_response"]);
      await proxy.close();
    }
  });

  it("cuts an answer that is aborted, so that its end is not clean", async () => {
    const { client, upstream } = await exchange("GET / HTTP/1.0\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
    await client.receive("hel");
    upstream.socket.destroy();
    expect(await client.closed).toBe("reset");
  });
});

describe("requests", () => {
  it("passes 100 (Continue) on, both ways", async () => {
    const { client, upstream } = await exchange(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    expect(upstream.received).toContain("Expect: 100-continue\r\n");
    upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
    await client.receive("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    await upstream.receive("hi");
    upstream.send(ok);
    expect(await client.receive("ok")).toBe(`HTTP/1.1 100 Continue\r\n\r\n${ok}`);
  });

  it("closes behind an answer to a body that was never asked for", async () => {
    const { client, upstream } = await exchange(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    upstream.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    await Promise.all([client.closed, upstream.closed]);
    expect(client.received).toBe("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });

  it("gives the whole of an answer that comes before the request has ended, then closes", async () => {
    const { client, upstream } = await exchange(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc",
      {},
      "abc",
    );
    upstream.send("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    await client.receive("no");
    client.send("x".repeat(500_000));
    expect(await client.closed).toBe("ended");
    expect(client.received).toMatch(
      /^HTTP\/1\.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno$/,
    );
    await upstream.closed;
  });

  it("keeps the connection when a short body is answered before it has come", async () => {
    const { layer, events } = service(answerWith(503, "no"));
    const { client } = await start({ layer });
    const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    const refused = client().send(`${post}ab`);
    await refused.receive("no");
    refused.send(`cd${post}efgh`);
    const answers = await refused.receive((text) => text.split("no").length === 3);
    expect(answers).not.toContain("close");
    expect(events).toEqual(["body 2", "body 2", "end", "body 4", "end"]);
  });

  it("answers pipelined requests in order, one at a time", async () => {
    const { client, upstream } = await exchange(["/1", "/2", "/3"].map((path) => get.replace("/", path)).join(""));
    expect(upstream.received).toBe(get.replace("/", "/1"));
    for (const n of [1, 2, 3]) {
      await upstream.receive(`/${n}`);
      expect(upstream.received).not.toContain(`/${n + 1}`);
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nr${n}`);
    }
    expect((await client.receive("r3")).match(/r\d/g)).toEqual(["r1", "r2", "r3"]);
  });

  it("serves a thousand pipelined requests that are answered at once", async () => {
    const { layer } = service(answerWith(200, "ok"));
    const { client } = await start({ layer });
    const answers = await client()
      .send(get.repeat(1000))
      .receive((text) => text.length === ok.length * 1000);
    expect(answers === ok.repeat(1000)).toBe(true);
  });

  it("stops reading from a client that pipelines without end", async () => {
    const { layer } = service(() => undefined);
    const { client, connections } = await start({ layer });
    const attacker = client();
    const flood = get.repeat(20_000);
    for (let i = 0; i < 40; i++) attacker.send(flood);
    await eventually(() => [...connections].some((connection) => connection.heldBytes > 64 * 1024));
    const held = Math.max(...[...connections].map((connection) => connection.heldBytes));
    expect(held).toBeLessThan(256 * 1024);
    expect(attacker.socket.writableLength).toBeGreaterThan(0);
  });

  it("tells the service that the client is gone", async () => {
    const { layer, events } = service(() => undefined);
    const { client, allClosed } = await start({ layer });
    const gone = client().send(get);
    await eventually(() => events.length > 0);
    gone.socket.destroy();
    await eventually(() => events.length > 1);
    await allClosed();
    expect(events).toEqual(["end", "abort upstream_closed"]);
  });

  it("closes the upstream connection when the client goes away", async () => {
    const { client, upstream } = await exchange(get);
    client.socket.destroy();
    await upstream.closed;
    expect(proxy.pool.size).toBe(0);
  });

  it("serves CONNECT and strips proxy credentials only as a forward proxy", async () => {
    await start();
    const refused = proxy.client().send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    await refused.closed;
    expect(refused.received).toMatch(/^HTTP\/1\.1 501 /);
    await proxy.close();
    const request = "GET http://a/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eA==\r\n\r\n";
    const { upstream } = await exchange(request, { server: { forwardProxy: true } });
    expect(upstream.received).toBe(get);
    await proxy.close();
    expect((await exchange(request)).upstream.received).toContain("Proxy-Authorization");
  });

  it("answers in its own name where nothing above it does, to HEAD without a body", async () => {
    const { layer } = service((response) => response.abortResponse(new MeshError("no_route", "nowhere")));
    const { client } = await start({ layer });
    const asked = client().send(get);
    await asked.closed;
    expect(asked.received).toMatch(/^HTTP\/1\.1 404 .*tulle-error: no_route\r\n.*nowhere\n$/s);
    const head = client().send(get.replace("GET", "HEAD"));
    await head.closed;
    expect(head.received).toMatch(/^HTTP\/1\.1 404 .*\r\n\r\n$/s);
  });
});

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

describe("upgrades and tunnels", () => {
  const ask =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
  const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  it("carries raw bytes both ways behind a 101, with half close", async () => {
    const { client, upstream } = await exchange(ask);
    expect(upstream.received).toBe(
      "GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    upstream.send(`${switched}hello`);
    expect(await client.receive("hello")).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    );
    client.send("from client");
    await upstream.receive("from client");
    client.socket.end();
    await upstream.closed;
    await client.closed;
    expect(proxy.pool.size).toBe(0);
  });

  it("goes on in one direction when the other has ended", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.socket.removeAllListeners("end");
    upstream.send(switched);
    await client.receive("\r\n\r\n");
    client.socket.end("last");
    await upstream.receive("last");
    upstream.send("still here").socket.end();
    expect(await client.receive("still here")).toContain("still here");
    await client.closed;
  });

  it("holds bytes that come before the switch", async () => {
    const { client, upstream } = await exchange(`${ask}early`);
    client.send(" bird");
    await eventually(() => [...proxy.connections].some((connection) => connection.heldBytes === 10));
    expect(upstream.received).not.toContain("early");
    upstream.send(switched);
    await upstream.receive("early bird");
    expect(client.received).not.toContain("early");
  });

  it("treats an upgrade answered by 200 as an ordinary exchange", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.send(ok);
    await client.receive("ok");
    client.send(get);
    await upstream.receive("GET / ");
    upstream.send(ok);
    expect(await client.receive((text) => text === ok + ok)).toBe(ok + ok);
  });

  it("drops early bytes with the connection if the switch is refused", async () => {
    const { client, upstream } = await exchange(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    upstream.send(ok);
    await client.closed;
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    expect(upstream.received).not.toContain("smuggled");
  });

  it("drops early bytes also if the switch is refused before they were looked at", async () => {
    const { layer, events } = service(answerWith(403, "no"));
    const { client } = await start({ layer });
    const refused = client().send(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    await refused.closed;
    expect(refused.received).toBe("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    expect(events).toEqual(["end"]);
  });

  it("ends the request of who asked to close and was answered before the service returned", async () => {
    const { layer, events } = service(answerWith(200, "ok"));
    const { client } = await start({ layer });
    await client().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").closed;
    expect(events).toEqual(["end"]);
  });

  it("asks for no h2c", async () => {
    const { upstream } = await exchange(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    expect(upstream.received).toBe(get);
  });

  it("refuses a 101 to another protocol", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.send(switched.replace("websocket", "h2c"));
    expect(await client.receive("\r\n\r\n")).toMatch(/^HTTP\/1\.1 502 /);
  });

  it("tunnels behind a 2xx to CONNECT", async () => {
    const { client, upstream } = await exchange("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nearly", {
      server: { forwardProxy: true },
    });
    expect(upstream.received).toBe("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nraw");
    expect(await client.receive("raw")).toBe("HTTP/1.1 200 OK\r\n\r\nraw");
    await upstream.receive("early");
    upstream.socket.end();
    expect(await client.closed).toBe("ended");
  });

  it("is ready for a service that switches before it returns", async () => {
    const { layer, events } = service((response) => {
      response.head({ status: 101, headers: new HeaderFields(), bodyless: false });
      response.writeResponse(Buffer.from("raw"));
      response.endResponse();
    });
    const { client } = await start({ layer });
    const tunnel = client().send(`${ask}early`);
    expect(await tunnel.receive("raw")).toMatch(/\r\n\r\nraw$/);
    await tunnel.closed;
    await eventually(() => events.length > 1);
    expect(events).toEqual(["body 5", "end"]);
  });
});

describe("timeouts", () => {
  it("answers 408 to a head that takes more than 10 s, however busily it dribbles", async () => {
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

  it("answers 408 to a body of known length that dribbles, and lets a conversation take its time", async () => {
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

  it("closes a connection that is idle for 10 min, without a word", async () => {
    const { client, advance, connections } = await start();
    const idle = client();
    await eventually(() => connections.size > 0);
    advance(599_000);
    expect(idle.socket.closed).toBe(false);
    advance(2_000);
    await idle.closed;
    expect(idle.received).toBe("");
  });

  it("lets an answer take its time", async () => {
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

  it("is really gone when a refused client neither reads nor closes", async () => {
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

  it("lets the running exchange finish, and says that it is the last", async () => {
    const { client, upstream, connections } = await exchange(get);
    only(connections).drain();
    upstream.send(ok);
    await client.closed;
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });

  it("closes behind an answer that had begun", async () => {
    const { client, upstream, connections } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    await client.receive("\r\n\r\no");
    only(connections).drain();
    upstream.send("k");
    expect(await client.closed).toBe("ended");
    expect(client.received).toBe(ok);
  });
});
