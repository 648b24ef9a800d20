import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { eventually } from "../../support/eventually.ts";
import { answerWith, exchange, get, ok, proxy, service, start } from "./serving.ts";

describe("framing of responses", () => {
  it("forwards a known length", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send(ok);
    expect(await client.receive("ok")).toBe(ok);
  });

  it("sends a body that ends with its connection in chunks", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\n\r\nhello").socket.end();
    expect(await client.receive("0\r\n\r\n")).toBe(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
  });

  it("forwards trailers", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nCookie: x\r\n\r\n");
    expect(await client.receive("x-sum")).toMatch(/0\r\nx-sum: 1\r\n\r\n$/);
  });

  it("sends no chunks to HTTP/1.0, and closes if there is no length", async () => {
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

  it("keeps the length in a response to HEAD, and stays open", async () => {
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

  it("says Content-Length 0 for an empty response whose status could have a body", async () => {
    const { layer } = service((response) => {
      response.head({ status: 200, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
    });
    const { client } = await start({ layer });
    expect(await client().send(get).receive("\r\n\r\n")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });

  it("writes known names in their usual case, others in lower case", async () => {
    const { client, upstream } = await exchange(get);
    upstream.send("HTTP/1.1 200 Fine\r\ncontent-LENGTH: 0\r\nETAG: 1\r\nX-OWN: 2\r\nwww-authenticate: Basic\r\n\r\n");
    expect(await client.receive("\r\n\r\n")).toBe(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: 1\r\nx-own: 2\r\nWWW-Authenticate: Basic\r\n\r\n",
    );
  });

  it("cuts a response that breaks its own length", async () => {
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

  it("cuts a response that is aborted, so that it does not look complete", async () => {
    const { client, upstream } = await exchange("GET / HTTP/1.0\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel");
    await client.receive("hel");
    upstream.socket.destroy();
    expect(await client.closed).toBe("reset");
  });
});

describe("requests", () => {
  it("forwards Expect and 100 (Continue)", async () => {
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

  it("closes after responding to a body that was never asked for", async () => {
    const { client, upstream } = await exchange(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    upstream.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    await Promise.all([client.closed, upstream.closed]);
    expect(client.received).toBe("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });

  it("sends the whole response that comes before the request has ended, then closes", async () => {
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

  it("keeps the connection when a short body is answered before it has arrived", async () => {
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

  it("tells the service that the client has gone", async () => {
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

  it("answers refusals itself, to HEAD without a body", async () => {
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
