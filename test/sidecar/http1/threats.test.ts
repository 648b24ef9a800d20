import { once } from "node:events";
import * as net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { MeshError } from "../../../model/errors.ts";
import { Http1Client } from "../../../sidecar/http1/client.ts";
import { Exchange } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { desyncs, ok } from "./hostile-answers.ts";
import { refusedChunks, refusedFraming, refusedHeads } from "./hostile-requests.ts";
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
const statusOf: Record<string, number> = { bad_request: 400, unsupported: 501, uri_too_long: 414, head_too_large: 431 };

/** Sends hostile bytes on a connection of their own, over an upstream connection that is already there and idle. */
async function attack(text: string): Promise<{ answer: string; reached: string; refusals: string[]; next: string }> {
  const { nextUpstream, client, refusals, allClosed, pool, upstreams } = await start();
  const first = client().send(get.replace("/", "/first"));
  const upstream = await nextUpstream();
  await upstream.receive("\r\n\r\n");
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
  await first.receive("first");
  const before = upstream.received.length;

  const attacker = client().send(text);
  await attacker.closed;

  first.send(get.replace("/", "/second"));
  const after = pool.size > 0 ? upstream : await nextUpstream();
  await after.receive("/second");
  after.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
  await first.receive("second");
  first.socket.destroy();
  await allClosed();
  const reached = upstream.received.slice(before).replace(/^GET \/second HTTP\/1.1\r\nHost: a\r\n\r\n$/, "");
  const others = upstreams.filter((other) => other !== upstream && other !== after).map((other) => other.received);
  return { answer: attacker.received, reached: reached + others.join(""), refusals, next: first.received };
}

describe("requests with two readings: refused, closed, and not a byte upstream", () => {
  const rows = [
    ...Object.entries(refusedHeads),
    ...Object.entries(refusedFraming).map(([name, [code, fields]]): [string, [string, string]] => {
      return [
        name,
        [code, `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`],
      ];
    }),
    ...Object.entries(refusedChunks).map(([name, chunks]): [string, [string, string]] => {
      const text = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
      return [`a chunked body with ${name}`, ["bad_request", text]];
    }),
  ];
  for (const [name, [code, text]] of rows)
    it(`refuses ${name}`, async () => {
      const { answer, reached, refusals, next } = await attack(text);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${statusOf[code]} `));
      expect(answer).toContain(`tulle-error: ${code}\r\n`);
      expect(answer).toContain("Connection: close\r\n");
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(reached).toBe("");
      expect(refusals).toEqual([code]);
      expect(next).toMatch(/^HTTP.*first.*second$/s);
    });
});

describe("limits over sockets", () => {
  it("answers 431 to a head above the limit, and closes", async () => {
    const { answer, reached } = await attack(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(reached).toBe("");
  });

  it("answers 431 to too many fields", async () => {
    const { answer } = await attack(`GET / HTTP/1.1\r\nHost: a\r\n${"X: x\r\n".repeat(100)}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("answers 414 to a target above the limit", async () => {
    const { answer } = await attack(`GET /${"x".repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 414 /);
  });
});

describe("trailers and Connection", () => {
  it("drops forbidden trailers of a request", async () => {
    const { client, nextUpstream } = await start();
    client().send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" +
        "Content-Length: 3\r\nHost: b\r\nAuthorization: x\r\nX-Sum: 1\r\n\r\n",
    );
    const upstream = await nextUpstream();
    await upstream.receive("0\r\n");
    expect(upstream.received).toBe(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-sum: 1\r\n\r\n",
    );
  });

  it("removes what Connection names, and forwards no hop-by-hop field", async () => {
    const { client, nextUpstream } = await start();
    client().send("GET / HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nConnection: x-mine\r\nTE: gzip\r\nAccept: b\r\n\r\n");
    const upstream = await nextUpstream();
    await upstream.receive("\r\n\r\n");
    expect(upstream.received).toBe("GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n");
  });
});

describe("an upstream out of step: 502, its connection is destroyed, nobody else sees a byte", () => {
  /** The upstream answers the first request with `text`. The second one, of another client, must get its own answer. */
  async function desync(text: string, request = get): Promise<string> {
    const { client, nextUpstream } = await start();
    const first = client().send(request);
    const upstream = await nextUpstream();
    await upstream.receive("\r\n\r\n");
    upstream.send(text);
    await upstream.closed;
    const second = client().send(get);
    const fresh = await nextUpstream();
    await fresh.receive("\r\n\r\n");
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown");
    expect(await second.receive("own")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown");
    if (first.received === "") await first.closed;
    return first.received;
  }

  for (const [name, { text, method = "GET" }] of Object.entries(desyncs))
    it(`survives ${name}`, async () => {
      const answer = await desync(text, get.replace("GET", method));
      expect(answer.replaceAll("HTTP/1.1 103 Early Hints\r\n\r\n", "")).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
      expect(answer).toContain("tulle-error: bad_response");
      expect(answer).not.toContain("evil");
    });

  it("survives bytes after a chunked response", async () => {
    const answer = await desync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil");
    expect(answer).not.toContain("evil");
    expect(answer).not.toContain("0\r\n\r\n");
  });

  it("never sends a request on a connection that spoke first", async () => {
    const { client, nextUpstream } = await start();
    const first = client().send(get);
    const upstream = await nextUpstream();
    await upstream.receive("\r\n\r\n");
    upstream.send(ok);
    await first.receive("ok");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    await upstream.closed;
    first.send(get);
    const fresh = await nextUpstream();
    await fresh.receive("\r\n\r\n");
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown");
    expect(await first.receive("own")).not.toContain("evil");
  });

  it("refuses a response that comes before the request was written", async () => {
    const { port } = await start();
    const socket = net.connect({ host: "127.0.0.1", port });
    await once(socket, "connect");
    const client = new Http1Client(socket);
    const exchange = new Exchange({
      method: "GET",
      authority: "a",
      path: "/",
      scheme: "http",
      headers: new HeaderFields(),
      bodyless: true,
    });
    const errors: MeshError[] = [];
    const sink = client.request(exchange, {
      informational: () => expect.unreachable(),
      head: () => expect.unreachable(),
      writeResponse: () => expect.unreachable(),
      endResponse: () => expect.unreachable(),
      abortResponse: (error) => errors.push(error),
      resumeRequest: () => undefined,
    });
    sink.endRequest();
    client.receive(Buffer.from(ok));
    expect(errors.map((error) => error.code)).toEqual(["bad_response"]);
    expect(socket.destroyed).toBe(true);
  });
});
