import { once } from "node:events";
import * as net from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { Http1Client } from "../../../sidecar/http1/client.ts";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import { Exchange, type RequestHead, type RequestSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { eventually } from "../../support/eventually.ts";
import { type Listening, listen, RawClient, untilClosed } from "../../support/sockets.ts";
import { UpstreamConnection } from "./proxy.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let listening: Listening;
let upstreams: UpstreamConnection[] = [];

beforeEach(async () => {
  upstreams = [];
  listening = await listen((socket) => void upstreams.push(new UpstreamConnection(socket)));
});

afterEach(async () => {
  await listening.close();
});

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function connect(port = listening.port): net.Socket {
  return net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
}

/** What a response sink was told, in order. */
function ask(client: Http1Client, head: Partial<RequestHead> = {}): { sink: RequestSink; told: string[] } {
  const told: string[] = [];
  const whole = { method: "GET", authority: "a", path: "/", scheme: "http" as const, bodyless: true };
  const exchange = new Exchange({ ...whole, headers: new HeaderFields(), ...head });
  const sink = client.request(exchange, {
    informational: (head) => void told.push(`${head.status}`),
    head: (head) => void told.push(`${head.status}${head.bodyless ? " bodyless" : ""}`),
    writeResponse: (chunk) => told.push(chunk.toString("latin1")) > 0,
    endResponse: (trailers) => void told.push(`end${trailers === undefined ? "" : ` ${trailers.flat.join()}`}`),
    abortResponse: (error) => void told.push(`abort ${error.code} ${error.processed}`),
    resumeRequest: () => void told.push("resume"),
  });
  return { sink, told };
}

/** Holds nothing of the request itself. */
function askAndForget(client: Http1Client): { last: WeakRef<HeaderFields>; told: string[] } {
  const headers = new HeaderFields(["x-once", "1"]);
  const { sink, told } = ask(client, { headers });
  sink.endRequest();
  return { last: new WeakRef(headers), told };
}

async function upstream(): Promise<UpstreamConnection> {
  await eventually(() => upstreams.length > 0);
  return upstreams[0] as UpstreamConnection;
}

describe("one connection to a server", () => {
  it("carries one exchange after the other", async () => {
    const client = new Http1Client(connect());
    for (const path of ["/1", "/2"]) {
      const { sink, told } = ask(client, { path });
      sink.endRequest();
      expect(client.idle).toBe(false);
      const server = await upstream();
      await server.receive(path);
      server.send(ok);
      await eventually(() => told.length === 3);
      expect(told).toEqual(["200", "ok", "end"]);
      expect(client.idle).toBe(true);
    }
    client.destroy();
  });

  it("retains nothing of a finished exchange while it waits for the next", async () => {
    const client = new Http1Client(connect());
    const { last, told } = askAndForget(client);
    const server = await upstream();
    await server.receive("\r\n\r\n");
    server.send(ok);
    await eventually(() => told.length === 3);
    await eventually(() => {
      collectGarbage();
      return last.deref() === undefined;
    });
    expect(client.idle).toBe(true);
    client.destroy();
  });

  it("does not accept a second exchange at a time", async () => {
    const client = new Http1Client(connect());
    ask(client).sink.endRequest();
    expect(ask(client).told).toEqual(["abort connect_failed unprocessed"]);
    client.destroy();
  });

  it("says that a request was not processed when nobody listens", async () => {
    const closed = await listen(() => undefined);
    await closed.close();
    const { sink, told } = ask(new Http1Client(connect(closed.port)), { method: "POST", bodyless: false });
    sink.writeRequest(Buffer.from("x"));
    await eventually(() => told.length > 0);
    expect(told).toEqual(["abort connect_failed unprocessed"]);
  });

  it("says that a request may have been processed once it was written", async () => {
    const { sink, told } = ask(new Http1Client(connect()));
    sink.endRequest();
    const server = await upstream();
    await server.receive("\r\n\r\n");
    server.socket.destroy();
    await eventually(() => told.length > 0);
    expect(told).toEqual(["abort upstream_closed maybe"]);
  });

  it("sends a body of unknown length in chunks, with trailers", async () => {
    const { sink } = ask(new Http1Client(connect()), { method: "POST", bodyless: false });
    sink.writeRequest(Buffer.from("hello"));
    sink.writeRequest(Buffer.alloc(0));
    sink.endRequest(new HeaderFields(["x-sum", "1"]));
    const server = await upstream();
    await server.receive("x-sum");
    expect(server.received).toBe(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    );
  });

  it("says Content-Length 0 for an empty POST, and nothing for GET", async () => {
    const client = new Http1Client(connect());
    ask(client, { method: "POST" }).sink.endRequest();
    const server = await upstream();
    await server.receive("\r\n\r\n");
    expect(server.received).toBe("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.destroy();
  });

  it("cuts a request that breaks its own length", async () => {
    for (const body of ["a", "abc"]) {
      const headers = new HeaderFields(["content-length", "2"]);
      const { sink, told } = ask(new Http1Client(connect()), { method: "POST", headers, bodyless: false });
      sink.writeRequest(Buffer.from(body));
      sink.endRequest();
      expect(told).toEqual(["abort bad_request maybe"]);
    }
  });

  it("does not write a hop-by-hop field that a layer left", async () => {
    const headers = new HeaderFields([
      "connection",
      "x",
      "te",
      "trailers",
      "host",
      "b",
      "transfer-encoding",
      "gzip",
      "x-a",
      "1",
    ]);
    ask(new Http1Client(connect()), { headers }).sink.endRequest();
    const server = await upstream();
    await server.receive("\r\n\r\n");
    expect(server.received).toBe("GET / HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n\r\n");
  });

  it("is closed by an abort, and reports nothing more", async () => {
    const client = new Http1Client(connect());
    const { sink, told } = ask(client);
    sink.endRequest();
    const server = await upstream();
    await server.receive("\r\n\r\n");
    sink.abortRequest(new MeshError("request_timeout", "late"));
    await server.closed;
    expect(told).toEqual([]);
    expect(client.idle).toBe(false);
  });
});

describe("a connection that another part has read from", () => {
  it("is served from those bytes, and then from what follows", async () => {
    const front = await listen((socket) => {
      socket.once("data", (first) => {
        socket.pause();
        serveHttp1(
          socket,
          (exchange, response) => {
            response.head({ status: 200, headers: new HeaderFields(["x-path", exchange.path]), bodyless: true });
            response.endResponse();
            return {
              writeRequest: () => true,
              endRequest: () => undefined,
              abortRequest: () => undefined,
              resumeResponse: () => undefined,
            };
          },
          {},
          first,
        );
      });
    });
    const client = new RawClient(front.port).send("GET /first HTTP/1.1\r\nHo");
    await once(client.socket, "connect");
    client.send("st: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await client.receive("/second")).toContain("x-path: /first");
    await front.close();
  });

  it("is known to be gone if it was closed before", async () => {
    const socket = connect().destroy();
    await untilClosed(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    serveHttp1(socket, () => expect.unreachable(), { onClosed: resolve });
    await expect(promise).resolves.toBeUndefined();
  });
});
