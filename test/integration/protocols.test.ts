/** What applications speak, through two sidecars: the same as without them. */

import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { text } from "node:stream/consumers";
import tls from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { altNames, dns, leafConstraints, makeCertificate, makeRoot } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { TestMesh as Mesh, meshed, nextPodIp, type TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";
import { dialRaw } from "../support/sockets.ts";

interface Pair {
  /** Where the application of `web` finds `orders`. */
  readonly host: string;
  readonly port: number;
  readonly web: TestSidecar;
  readonly orders: TestSidecar;
}

/** `web`, whose upstream listener leads to `orders`. */
async function openPair(mesh: TestMesh): Promise<Pair> {
  const host = nextPodIp();
  const upstream = { host: "orders", port: 80, listenHost: host, listenPort: 9001 };
  const web = await mesh.sidecar("web", { upstreams: [upstream] });
  const orders = await mesh.sidecar("orders");
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  return { host, port: 9001, web, orders };
}

/** A TCP server at the pod's own port. */
async function serveTcp(podIp: string, accept: (socket: net.Socket) => void): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}); // the mesh's end of it
    accept(socket);
  });
  server.listen(8080, podIp);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
}

async function readAll(socket: net.Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

it("speaks HTTP/2 to an application whose caller speaks it, trailers and all", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    stream.respond({ ":status": 201, "x-path": headers[":path"] }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "42" }));
    stream.end(String(headers["tulle-client-id"]));
  });
  server.listen(8080, orders.podIp);
  await once(server, "listening");

  const session = http2.connect(`http://${host}:${port}`).on("error", () => {});
  const stream = session.request({ ":path": "/h2?a=b", ":authority": "orders" });
  const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  const trailers = once(stream, "trailers") as Promise<[http2.IncomingHttpHeaders]>;
  let body = "";
  for await (const chunk of stream) body += String(chunk);

  expect([head[":status"], head["x-path"], body]).toEqual([201, "/h2?a=b", "spiffe://cluster.local/ns/shop/sa/web"]);
  expect((await trailers)[0]["x-sum"]).toBe("42");
  session.destroy();
  server.close();
});

it("carries gRPC: unary, both kinds of stream, statuses, metadata and cancellation", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  const text = {
    requestSerialize: (value: string) => Buffer.from(value),
    requestDeserialize: (bytes: Buffer) => bytes.toString(),
    responseSerialize: (value: string) => Buffer.from(value),
    responseDeserialize: (bytes: Buffer) => bytes.toString(),
  };
  const service = {
    unary: { path: "/shop.Echo/Unary", requestStream: false, responseStream: false, ...text },
    chat: { path: "/shop.Echo/Chat", requestStream: true, responseStream: true, ...text },
  };
  const server = new grpc.Server();
  const cancelled = new Promise<void>((resolve) => {
    server.addService(service, {
      unary: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
        if (call.request === "fail") return done({ code: grpc.status.NOT_FOUND, details: "no such order ü" });
        const metadata = new grpc.Metadata();
        metadata.set("x-caller", String(call.metadata.get("tulle-client-id")[0]));
        return done(null, call.request.repeat(2), metadata);
      },
      chat: (call: grpc.ServerDuplexStream<string, string>) => {
        call.on("data", (word: string) => call.write(word.toUpperCase()));
        call.on("end", () => call.end());
        call.on("cancelled", () => resolve());
      },
    });
  });
  await new Promise((resolve, reject) =>
    server.bindAsync(`${orders.podIp}:8080`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve(undefined) : reject(error),
    ),
  );
  const Echo = grpc.makeGenericClientConstructor(service, "Echo");
  const client = new Echo(`${host}:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  const call = client as unknown as {
    unary(request: string, done: grpc.requestCallback<string>): grpc.ClientUnaryCall;
    chat(): grpc.ClientDuplexStream<string, string>;
  };

  expect(await new Promise((resolve) => call.unary("ab", (_error, answer) => resolve(answer)))).toBe("abab");
  const large = "x".repeat(1_000_000);
  expect(await new Promise((resolve) => call.unary(large, (_error, answer) => resolve(answer?.length)))).toBe(
    2_000_000,
  );
  const failure = await new Promise<grpc.ServiceError | null>((resolve) =>
    call.unary("fail", (error) => resolve(error)),
  );
  expect([failure?.code, failure?.details]).toEqual([grpc.status.NOT_FOUND, "no such order ü"]);

  const chat = call.chat();
  for (const word of ["one", "two", "three"]) {
    chat.write(word);
    expect(await once(chat, "data")).toEqual([word.toUpperCase()]);
  }
  chat.end();
  const [status] = (await once(chat, "status")) as [grpc.StatusObject];
  expect(status.code).toBe(grpc.status.OK);

  const endless = call.chat();
  endless.on("error", () => {});
  endless.write("word");
  await once(endless, "data");
  endless.cancel();
  await cancelled;
});

it("switches protocols, carries raw bytes both ways, and half-closes", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  const server = await mesh.application(orders.podIp, (_request, response) => response.end("no upgrade"));
  server.on("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
    socket.on("error", () => {}); // the mesh's end of it
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${request.headers["sec-websocket-key"]}!\r\n\r\nhello `,
    );
    socket.pipe(socket);
  });

  const socket = dialRaw({ host, port });
  socket.write(
    "GET /chat HTTP/1.1\r\nHost: orders\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n[^]*Sec-WebSocket-Accept: abc!\r\n/i);
  const rest = readAll(socket);
  socket.end("and good-bye");
  expect(head.toString().split("\r\n\r\n")[1] + (await rest)).toBe("hello and good-bye");
});

it("forwards the response of an application that ignores Upgrade, and keeps the connection", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  await mesh.application(orders.podIp, (request, response) => {
    response.writeHead(request.url === "/nothing" ? 204 : 203, { "tulle-status": "101" });
    response.end(request.url === "/nothing" ? undefined : `of ${request.url}`);
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ask = async (path: string): Promise<unknown> => {
    const headers = { host: "orders", connection: "upgrade", upgrade: "game/2" };
    const request = http.get({ host, port, path, headers, agent });
    const response = await answerTo(request);
    return [response.statusCode, await text(response), response.headers["tulle-status"], request.reusedSocket];
  };
  expect(await ask("/a")).toEqual([203, "of /a", undefined, false]);
  expect(await ask("/nothing")).toEqual([204, "", undefined, true]);
  expect(await ask("/b")).toEqual([203, "of /b", undefined, true]);
});

it("lets server-sent events flow as they come, past the request timeout", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  mesh.service("orders", [meshed(orders.podIp, "orders")], { timeout: { requestMs: 300 } });
  let send = (_event: string): void => {};
  await mesh.application(orders.podIp, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    send = (event) => response.write(`data: ${event}\n\n`);
    send("first");
  });

  const request = http.get({ host, port, path: "/events", headers: { host: "orders" }, agent: false });
  const response = await answerTo(request);
  expect(String(await once(response, "data"))).toBe("data: first\n\n");
  const start = performance.now();
  for (let i = 0; performance.now() - start < 500; i++) {
    send(String(i));
    expect(String(await once(response, "data"))).toBe(`data: ${i}\n\n`);
  }
  request.destroy();
});

it("carries opaque TCP whose client speaks first, half-close included", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  await serveTcp(orders.podIp, (socket) => {
    void readAll(socket).then((text) => socket.end(`got ${text.length}`));
  });
  const socket = dialRaw({ host, port, allowHalfOpen: true });
  socket.write("\u0001binary");
  socket.end("x".repeat(300_000));
  expect(await readAll(socket)).toBe("got 300007");
  const { requestBytes } = orders.metrics;
  expect(requestBytes.value(requestBytes.slot({ direction: "inbound", service: "shop/orders" }))).toBe(300_007);
});

it("lets a connection become HTTP after a long silence", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  let connections = 0;
  const server = await mesh.application(orders.podIp, (request, response) => response.end(`for ${request.url}`));
  server.on("connection", () => connections++);
  const socket = dialRaw({ host, port });
  // The application has been dialled for it, and waits as well.
  await eventually(() => connections === 1);
  socket.write("GET /late HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n");
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*for \/late$/);
});

it("carries opaque TCP whose server speaks first, after a short silence", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  await serveTcp(orders.podIp, (socket) => {
    socket.write("220 ready\r\n");
    socket.on("data", (chunk: Buffer) => socket.end(`echo ${chunk.toString()}`));
  });
  const socket = dialRaw({ host, port });
  expect(String(await once(socket, "data"))).toBe("220 ready\r\n");
  socket.write("EHLO");
  expect(String(await once(socket, "data"))).toBe("echo EHLO");
});

it("carries the application's own TLS unopened: certificate, SNI, ALPN, close", async () => {
  await using mesh = await Mesh.open();
  const { host, port, orders } = await openPair(mesh);
  const root = makeRoot();
  const leaf = makeCertificate({ issuer: root, extensions: [leafConstraints, altNames(dns("orders.test"))] });
  const server = tls.createServer(
    { key: leaf.keyPem, cert: leaf.pem, ALPNProtocols: ["x"], allowHalfOpen: true },
    (socket) => {
      void readAll(socket).then((said) => socket.end(`${String(socket.servername)} got ${said.length}`));
    },
  );
  server.listen(8080, orders.podIp);
  await once(server, "listening");
  onTestFinished(() => void server.close());

  const options = { ca: root.pem, servername: "orders.test", ALPNProtocols: ["x"], allowHalfOpen: true };
  const socket = tls.connect({ host, port, ...options });
  await once(socket, "secureConnect");
  expect([socket.authorized, socket.alpnProtocol]).toEqual([true, "x"]);
  socket.end("y".repeat(300_000));
  expect(await readAll(socket)).toBe("orders.test got 300000");
});
