/** The codec on TLS sockets, which have no reset, tell of an end by a message, and hand bytes over in records. */

import { once } from "node:events";
import https from "node:https";
import type net from "node:net";
import tls from "node:tls";
import { afterEach, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { Http1Client } from "../../../sidecar/http1/client.ts";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { answerTo } from "../../support/answer-to.ts";
import { altNames, dns, leafConstraints, makeCertificate, makeRoot } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { exchangeOf, RecordingCaller } from "../../support/exchange.ts";

const root = makeRoot();
const leaf = makeCertificate({ issuer: root, extensions: [leafConstraints, altNames(dns("orders"))] });
const trust = { ca: root.pem, servername: "orders" };
const cleaning: (() => void)[] = [];

afterEach(() => {
  for (const clean of cleaning.splice(0)) clean();
});

/** Answers with what it was sent. */
class Echo implements RequestSink {
  readonly #exchange: Exchange;
  readonly #response: ResponseSink;
  #begun = false;

  constructor(exchange: Exchange, response: ResponseSink) {
    this.#exchange = exchange;
    this.#response = response;
  }

  writeRequest(chunk: Buffer): boolean {
    this.#begin();
    return this.#response.writeResponse(Buffer.from(chunk));
  }

  endRequest(): void {
    this.#begin();
    this.#response.endResponse();
  }

  abortRequest(): void {}

  resumeResponse(): void {
    this.#response.resumeRequest();
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const headers = new HeaderFields(["x-seen", `${this.#exchange.scheme} ${this.#exchange.path}`]);
    this.#response.head({ status: 200, headers, bodyless: false });
  }
}

const echo: Service = (exchange, response) => new Echo(exchange, response);

async function serve(service: Service, refused: string[] = []): Promise<number> {
  const server = tls.createServer({ key: leaf.keyPem, cert: leaf.pem, allowHalfOpen: true }, (socket) => {
    serveHttp1(socket, service, { scheme: "https", onRefused: (code) => refused.push(code) });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleaning.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

async function connect(
  port: number,
): Promise<{ socket: tls.TLSSocket; received: () => string; closed: Promise<void> }> {
  const socket = tls.connect({ host: "127.0.0.1", port, ...trust });
  socket.on("error", () => {}); // seen by "close"
  cleaning.push(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  await once(socket, "secureConnect");
  return { socket, received: () => text, closed };
}

it("reads requests byte by byte and pipelined, and answers each", async () => {
  const { socket, received } = await connect(await serve(echo));
  const requests =
    "GET /a HTTP/1.1\r\nHost: orders\r\n\r\nPOST /b HTTP/1.1\r\nHost: orders\r\nContent-Length: 2\r\n\r\nhi";
  for (const byte of requests) socket.write(byte);
  await eventually(() => received().endsWith("2\r\nhi\r\n0\r\n\r\n"));
  expect(received().match(/x-seen: .*/gi)).toEqual(["x-seen: https /a", "x-seen: https /b"]);
});

it("carries megabytes both ways, as fast as the reader takes them", async () => {
  const port = await serve(echo);
  const body = Buffer.alloc(3_000_000, "0123456789");
  const request = https.request({ host: "127.0.0.1", port, method: "POST", agent: false, ...trust });
  request.end(body);
  const response = await answerTo(request);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(body)).toBe(true);
});

it("answers a request that it refuses, and closes", async () => {
  const refused: string[] = [];
  const { socket, received, closed } = await connect(await serve(echo, refused));
  socket.write("GET / HTTP/1.1\r\nHost: orders\r\nHost: payments\r\n\r\n");
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*tulle-error: bad_request/);
  expect(refused).toEqual(["bad_request"]);
});

it("does not make a response that it has to cut look complete", async () => {
  const cut: Service = (_exchange, response) => {
    response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    response.writeResponse(Buffer.from("half"));
    setImmediate(() => response.abortResponse(new MeshError("upstream_closed", "")));
    return { writeRequest: () => true, endRequest() {}, abortRequest() {}, resumeResponse() {} };
  };
  const port = await serve(cut);
  const request = https.get({ host: "127.0.0.1", port, agent: false, ...trust });
  const response = await answerTo(request);
  const read = async (): Promise<void> => {
    for await (const _ of response);
  };
  await expect(read()).rejects.toThrow("aborted");
});

it("treats a client that closes its side while it waits as gone", async () => {
  const aborted = Promise.withResolvers<string>();
  const silent: Service = () => ({
    writeRequest: () => true,
    endRequest() {},
    abortRequest: ({ code }) => aborted.resolve(code),
    resumeResponse() {},
  });
  const { socket, closed } = await connect(await serve(silent));
  socket.end("GET / HTTP/1.1\r\nHost: orders\r\n\r\n");
  expect(await aborted.promise).toBe("upstream_closed");
  await closed;
});

it("calls an HTTPS server, and does not accept a cut response", async () => {
  const server = https.createServer({ key: leaf.keyPem, cert: leaf.pem }, (request, response) => {
    if (request.url === "/cut") response.write("half", () => request.socket.destroy());
    else response.end(`${request.method} ${request.url}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleaning.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const ask = async (path: string) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ...trust });
    await once(socket, "secureConnect");
    cleaning.push(() => void socket.destroy());
    const caller = new RecordingCaller();
    new Http1Client(socket).request(exchangeOf({ path }), caller).endRequest();
    await eventually(() => ["end", "abort"].includes(String(caller.calls.at(-1)?.[0])));
    return caller.calls;
  };
  expect(await ask("/a")).toEqual([
    ["head", 200],
    ["write", "GET /a"],
    ["end", []],
  ]);
  expect((await ask("/cut")).at(-1)).toEqual(["abort", "upstream_closed"]);
});
