import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Http1Pool } from "../../../sidecar/http1/pool.ts";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { type Listening, listen, RawClient } from "../../support/sockets.ts";

describe("server and pool in front of a node:http server", () => {
  let application: http.Server;
  let proxy: Listening;
  let pool: Http1Pool;
  const timers = new TimerWheel(performance);

  beforeEach(async () => {
    application = http.createServer((request, response) => {
      if (request.url === "/piped") {
        request.pipe(response);
        return;
      }
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks);
        response.setHeader("x-method", request.method ?? "");
        response.setHeader("x-url", request.url ?? "");
        if (request.url === "/sized") response.setHeader("content-length", body.length);
        response.end(body);
      });
    });
    application.listen(0, "127.0.0.1");
    await once(application, "listening");
    const { port } = application.address() as net.AddressInfo;
    const connect = (onread: net.OnReadOpts) => net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, onread });
    pool = new Http1Pool(connect, { clock: performance, timers });
    proxy = await listen((socket) => serveHttp1(socket, pool.request, { timers }));
  });

  afterEach(async () => {
    await proxy.close();
    pool.close();
    application.closeAllConnections();
    application.close();
  });

  it("carries a GET and its answer", async () => {
    const client = new RawClient(proxy.port).send("GET /a?b HTTP/1.1\r\nHost: a.test\r\n\r\n");
    const answer = await client.receive("\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain("x-url: /a?b\r\n");
    client.socket.destroy();
  });

  it("keeps both connections alive", async () => {
    const client = new RawClient(proxy.port);
    for (let i = 1; i <= 3; i++) {
      client.send(`GET /n${i} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      await client.receive(`x-url: /n${i}`);
    }
    expect(pool.connectCount).toBe(1);
    client.socket.destroy();
  });

  it("answers pipelined requests in order", async () => {
    const client = new RawClient(proxy.port);
    client.send([1, 2, 3].map((i) => `GET /n${i} HTTP/1.1\r\nHost: a.test\r\n\r\n`).join(""));
    const answers = await client.receive("/n3");
    expect(answers.match(/x-url: \/n\d/g)).toEqual(["x-url: /n1", "x-url: /n2", "x-url: /n3"]);
    client.socket.destroy();
  });

  it("carries a chunked body both ways", async () => {
    const client = new RawClient(proxy.port);
    client.send(
      "POST /piped HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    const answer = await client.receive("0\r\n\r\n");
    expect(answer).toContain("Transfer-Encoding: chunked\r\n");
    expect(answer).toMatch(/5\r\nabcde\r\n0\r\n\r\n$|3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n$/);
    client.socket.destroy();
  });

  it("carries a body of known length", async () => {
    const client = new RawClient(proxy.port);
    client.send("POST /sized HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nabcde");
    const answer = await client.receive("abcde");
    expect(answer).toContain("Content-Length: 5\r\n");
    client.socket.destroy();
  });

  it("carries 4 MiB through full buffers", async () => {
    const client = new RawClient(proxy.port);
    const body = "0123456789abcdef".repeat(256 * 1024);
    client.send(`POST /sized HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const answer = await client.receive((text) => text.length >= body.length + 100 && text.endsWith("def"));
    expect(answer.slice(answer.indexOf("\r\n\r\n") + 4) === body).toBe(true);
    client.socket.destroy();
  });
});
