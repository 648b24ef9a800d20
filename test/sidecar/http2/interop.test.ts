/** Against node:http2, a peer that shares no code with ours. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as http2 from "node:http2";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Http2Client } from "../../../sidecar/http2/client.ts";
import { serveHttp2 } from "../../../sidecar/http2/server.ts";
import type { Exchange, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { RecordingUpstream } from "../../support/exchange.ts";
import { type Listening, listen, untilClosed } from "../../support/sockets.ts";
import { echo, options, send } from "./peers.ts";

interface Received {
  status: number;
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  body: Buffer;
  trailers: http2.IncomingHttpHeaders | undefined;
}

async function receive(stream: http2.ClientHttp2Stream): Promise<Received> {
  const chunks: Buffer[] = [];
  let trailers: http2.IncomingHttpHeaders | undefined;
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("trailers", (fields: http2.IncomingHttpHeaders) => {
    trailers = fields;
  });
  const [headers] = (await once(stream, "response")) as [Received["headers"]];
  if (!stream.readableEnded) await once(stream, "end");
  return { status: headers[":status"] ?? 0, headers, body: Buffer.concat(chunks), trailers };
}

describe("a node:http2 client and our server", () => {
  let listening: Listening;
  let session: http2.ClientHttp2Session;
  let service: (exchange: Exchange, response: ResponseSink) => RequestSink;

  beforeEach(async () => {
    service = echo;
    listening = await listen((socket) =>
      serveHttp2(socket, (exchange, response) => service(exchange, response), options),
    );
    // Node counts what waits to be sent against this, in MB.
    session = http2.connect(`http://127.0.0.1:${listening.port}`, { maxSessionMemory: 64 });
    session.on("error", () => {});
    await once(session, "remoteSettings");
  });

  afterEach(async () => {
    session.destroy();
    await listening.close();
  });

  it("announces extended CONNECT and its limits", () => {
    expect(session.remoteSettings).toMatchObject({
      enableConnectProtocol: true,
      maxConcurrentStreams: 256,
      maxHeaderListSize: 32 * 1024,
    });
  });

  it("answers a GET", async () => {
    const received = await receive(session.request({ ":path": "/a?b=c" }));
    expect(received).toMatchObject({ status: 200, headers: { "x-path": "/a?b=c", "x-method": "GET" } });
  });

  it("carries 10 MiB both ways", async () => {
    const body = randomBytes(10 * 1024 * 1024);
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.end(body);
    expect((await receive(stream)).body.equals(body)).toBe(true);
  });

  it("carries trailers both ways", async () => {
    const stream = session.request({ ":method": "POST", ":path": "/" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "abc" }));
    stream.end("body");
    const received = await receive(stream);
    expect(received.body.toString()).toBe("body");
    expect(received.trailers).toMatchObject({ "x-checksum": "abc" });
  });

  it("sends informational answers before the final one", async () => {
    service = (_exchange, response) => {
      response.informational({ status: 103, headers: new HeaderFields(["link", "</a>"]), bodyless: true });
      response.head({ status: 204, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
      return new RecordingUpstream();
    };
    const stream = session.request({ ":path": "/" });
    const early = once(stream, "headers");
    const received = await receive(stream);
    expect(received.status).toBe(204);
    expect(((await early) as [Received["headers"]])[0]).toMatchObject({ ":status": 103, link: "</a>" });
  });

  it("joins cookie crumbs, and passes no host field to the service", async () => {
    const exchanges: Exchange[] = [];
    service = (exchange, response) => {
      exchanges.push(exchange);
      return echo(exchange, response);
    };
    await receive(session.request({ ":path": "/", cookie: ["a=1", "b=2"], "x-one": "1" }));
    const [exchange] = exchanges;
    expect(exchange?.headers.flat).toEqual(["cookie", "a=1; b=2", "x-one", "1"]);
    expect(exchange?.authority).toBe(`127.0.0.1:${listening.port}`);
    expect(exchange?.scheme).toBe("http");
  });

  it("keeps a field that the client marked as sensitive out of tables both ways", async () => {
    service = (exchange, response) => {
      response.head({ status: 200, headers: exchange.headers.copy(), bodyless: true });
      response.endResponse();
      return new RecordingUpstream();
    };
    const request = { ":path": "/", "x-api-key": "secret", "x-other": "1", [http2.sensitiveHeaders]: ["x-api-key"] };
    const { headers } = await receive(session.request(request));
    expect(headers).toMatchObject({ "x-api-key": "secret", "x-other": "1" });
    expect(Reflect.get(headers, http2.sensitiveHeaders) as unknown).toEqual(["x-api-key"]);
  });

  it("opens a tunnel for CONNECT", async () => {
    const stream = session.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" });
    stream.end("raw");
    const received = await receive(stream);
    expect(received).toMatchObject({ status: 200, headers: { "x-method": "CONNECT", "x-path": "" } });
    expect(received.body.toString()).toBe("raw");
  });

  it("opens a tunnel for extended CONNECT, which the service sees as an upgrade", async () => {
    service = (exchange, response) => {
      const headers = new HeaderFields(["x-upgrade", exchange.upgrade ?? "", "x-method", exchange.method]);
      response.head({ status: 101, headers, bodyless: false });
      return {
        writeRequest: (chunk) => response.writeResponse(chunk),
        endRequest: () => response.endResponse(),
        abortRequest: () => {},
        resumeResponse: () => {},
      };
    };
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/chat",
      ":authority": "a.test",
    });
    stream.end("frame");
    const received = await receive(stream);
    expect(received).toMatchObject({ status: 200, headers: { "x-upgrade": "websocket", "x-method": "GET" } });
    expect(received.body.toString()).toBe("frame");
  });

  it("answers 501 with the service's own status beside it if an upgrade is answered with another 2xx", async () => {
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/chat",
      ":authority": "a.test",
    });
    stream.end();
    const received = await receive(stream);
    expect(received).toMatchObject({ status: 501, headers: { "tulle-status": "200" } });
  });

  it("ends a request whose response is complete", async () => {
    const upstream = new RecordingUpstream();
    service = (_exchange, response) => {
      response.head({ status: 413, headers: new HeaderFields(), bodyless: true });
      response.endResponse();
      return upstream;
    };
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.write("some");
    const received = await receive(stream);
    if (!stream.closed) await untilClosed(stream);
    expect(received.status).toBe(413);
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
    expect(upstream.calls.at(-1)).toEqual(["abort", "upstream_reset"]);
  });

  it("aborts the upstream when the client resets", async () => {
    const upstream = new RecordingUpstream();
    service = upstream.service;
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    await expect.poll(() => upstream.calls).toEqual([["end", []]]);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await expect
      .poll(() => upstream.calls)
      .toEqual([
        ["end", []],
        ["abort", "upstream_reset"],
      ]);
  });

  it("finishes running streams while it drains, and then closes", async () => {
    const upstream = new RecordingUpstream();
    const drained = await listen((socket) => {
      const connection = serveHttp2(socket, upstream.service, options);
      draining = () => connection.drain();
    });
    let draining = (): void => {};
    const client = http2.connect(`http://127.0.0.1:${drained.port}`).on("error", () => {});
    const stream = client.request({ ":path": "/" }).on("error", () => {});
    await expect.poll(() => upstream.calls.length).toBe(1);
    draining();
    await once(client, "goaway");
    upstream.response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    upstream.response.writeResponse(Buffer.from("late"));
    upstream.response.endResponse();
    expect((await receive(stream)).body.toString()).toBe("late");
    await untilClosed(client);
    await expect.poll(() => drained.connections.size).toBe(0);
    await drained.close();
  });
});

describe("our client and a node:http2 server", () => {
  let server: http2.Http2Server;
  let client: Http2Client;
  const sessions = new Set<http2.ServerHttp2Session>();

  async function connect(settings: http2.Settings = {}): Promise<void> {
    server = http2.createServer({ settings: { enableConnectProtocol: true, ...settings } });
    server.on("session", (session) => {
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    client = new Http2Client(socket, options);
    const { promise, resolve } = Promise.withResolvers<void>();
    client.onReady = resolve;
    await promise;
  }

  afterEach(() => {
    client.destroy();
    for (const session of sessions) session.destroy();
    server.close();
  });

  it("carries 10 MiB and trailers both ways", async () => {
    await connect();
    let trailers: http2.IncomingHttpHeaders = {};
    server.on("stream", (stream) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("trailers", (fields: http2.IncomingHttpHeaders) => {
        trailers = fields;
      });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.pipe(stream);
    });
    const body = randomBytes(10 * 1024 * 1024);
    const answer = send(client.request, { method: "POST" }, body, new HeaderFields(["x-sum", "1"]));
    expect(await answer.ended).toBeUndefined();
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.trailers?.flat).toEqual(["grpc-status", "0"]);
    expect(trailers).toMatchObject({ "x-sum": "1" });
  });

  it("sends the head that it was given", async () => {
    await connect();
    const heads: http2.IncomingHttpHeaders[] = [];
    server.on("stream", (stream, headers) => {
      heads.push(headers);
      stream.respond({ ":status": 204 }, { endStream: true });
    });
    const headers = new HeaderFields(["accept", "*/*", "te", "trailers", "authorization", "secret"]);
    for (let i = 0; i < 3; i++) {
      const answer = send(client.request, { path: "/a?b", authority: "a.test:81", scheme: "https", headers });
      expect(await answer.ended).toBeUndefined();
      expect([answer.status, answer.isBodyless]).toEqual([204, true]);
    }
    for (const head of heads) {
      expect(head).toMatchObject({
        ":method": "GET",
        ":path": "/a?b",
        ":scheme": "https",
        ":authority": "a.test:81",
        accept: "*/*",
        te: "trailers",
        authorization: "secret",
      });
    }
    expect(heads).toHaveLength(3);
  });

  it("receives informational answers", async () => {
    await connect();
    server.on("stream", (stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond({ ":status": 200 });
      stream.end("x");
    });
    const answer = send(client.request);
    expect(await answer.ended).toBeUndefined();
    expect([answer.informationals, answer.status, answer.body.toString()]).toEqual([[103], 200, "x"]);
  });

  it("sends an upgrade as extended CONNECT, and reads 2xx as 101", async () => {
    await connect();
    const heads: http2.IncomingHttpHeaders[] = [];
    server.on("stream", (stream, headers) => {
      heads.push(headers);
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    });
    const answer = send(client.request, { upgrade: "websocket", path: "/chat", bodyless: false }, Buffer.from("frame"));
    expect(await answer.ended).toBeUndefined();
    expect(heads[0]).toMatchObject({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat" });
    expect([answer.status, answer.isBodyless, answer.body.toString()]).toEqual([101, false, "frame"]);
  });

  it("refuses an upgrade if the peer accepts none", async () => {
    await connect({ enableConnectProtocol: false });
    const answer = send(client.request, { upgrade: "websocket", bodyless: false });
    expect(await answer.ended).toMatchObject({ code: "unsupported", processed: "unprocessed" });
  });

  it("tells REFUSED_STREAM from other resets", async () => {
    await connect();
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      stream.close(headers[":path"] === "/refused" ? 7 : 2);
    });
    const refused = await send(client.request, { path: "/refused" }).ended;
    expect(refused).toMatchObject({ code: "refused_stream", processed: "unprocessed" });
    const reset = await send(client.request, { path: "/reset" }).ended;
    expect(reset).toMatchObject({ code: "upstream_reset", processed: "maybe" });
  });

  it("reports a stream above the last id of GOAWAY as unprocessed, and one below it not", async () => {
    await connect();
    const { promise, resolve } = Promise.withResolvers<http2.ServerHttp2Stream>();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      resolve(stream);
    });
    const goaways: string[] = [];
    client.onGoaway = (reason) => goaways.push(reason);
    const first = send(client.request);
    const stream = await promise;
    stream.session?.goaway(0, stream.id);
    const second = send(client.request);
    expect(await second.ended).toMatchObject({ code: "refused_stream", processed: "unprocessed" });
    expect(goaways).toEqual(["GOAWAY NO_ERROR"]);
    expect(client.canOpenStream).toBe(false);
    stream.respond({ ":status": 200 });
    stream.end("done");
    expect(await first.ended).toBeUndefined();
    expect(first.body.toString()).toBe("done");
  });

  it("reports what was sent before the connection broke as possibly processed", async () => {
    await connect();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.session?.destroy();
    });
    expect(await send(client.request).ended).toMatchObject({ code: "upstream_closed", processed: "maybe" });
  });

  it("reports what never left this process as unprocessed", async () => {
    await connect();
    const answer = send(client.request);
    client.destroy();
    expect(await answer.ended).toMatchObject({ code: "upstream_closed", processed: "unprocessed" });
  });

  it("respects the peer's limit of streams", async () => {
    await connect({ maxConcurrentStreams: 2 });
    const streams: http2.ServerHttp2Stream[] = [];
    server.on("stream", (stream) => streams.push(stream));
    const answers = [send(client.request), send(client.request)];
    expect([client.canOpenStream, client.activeStreams, client.maxConcurrentStreams]).toEqual([false, 2, 2]);
    expect(await send(client.request).ended).toMatchObject({ code: "refused_stream", processed: "unprocessed" });
    await expect.poll(() => streams.length).toBe(2);
    const { promise, resolve } = Promise.withResolvers<void>();
    client.onStreamSlot = resolve;
    for (const stream of streams) stream.respond({ ":status": 204 }, { endStream: true });
    await promise;
    expect(client.canOpenStream).toBe(true);
    expect(await Promise.all(answers.map((answer) => answer.ended))).toEqual([undefined, undefined]);
  });
});
