/** WebSockets by the `ws` package at both ends: through two sidecars the same as without them. */

import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { meshed, nextPodIp, TestMesh } from "../support/sidecar-pair.ts";

interface Chat {
  /** The way through the mesh, and the way around it. */
  readonly urls: readonly [mesh: string, direct: string];
  readonly server: WebSocketServer;
}

/** A server that echoes, in the pod of `orders`. */
async function openChat(mesh: TestMesh): Promise<Chat> {
  const host = nextPodIp();
  await mesh.sidecar("web", { upstreams: [{ host: "orders", port: 80, listenHost: host, listenPort: 9001 }] });
  const orders = await mesh.sidecar("orders");
  mesh.service("orders", [meshed(orders.podIp, "orders")]);
  const server = new WebSocketServer({ host: orders.podIp, port: 8080, maxPayload: 16 * 1024 * 1024 });
  server.on("connection", (socket) => {
    socket.on("message", (message: RawData, binary: boolean) => socket.send(message, { binary }));
    socket.on("error", () => {}); // told by "close"
  });
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { urls: [`ws://${host}:9001/chat`, `ws://${orders.podIp}:8080/chat`], server };
}

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.on("error", () => {}); // a failed opening is told by its close
  await once(socket, "open");
  return socket;
}

async function echo(socket: WebSocket, message: string | Buffer): Promise<[Buffer, boolean]> {
  const answered = once(socket, "message") as Promise<[Buffer, boolean]>;
  socket.send(message);
  return answered;
}

it("carries text, binary, empty and 10 MiB messages, and pings with their pongs", async () => {
  await using mesh = await TestMesh.open();
  const { urls } = await openChat(mesh);
  const socket = await openSocket(urls[0]);

  expect(await echo(socket, "grüße")).toEqual([Buffer.from("grüße"), false]);
  expect(await echo(socket, "")).toEqual([Buffer.alloc(0), false]);
  expect(await echo(socket, Buffer.of(0, 255, 10, 13))).toEqual([Buffer.of(0, 255, 10, 13), true]);
  const large = Buffer.alloc(10 * 1024 * 1024, "0123456789");
  const [answer, binary] = await echo(socket, large);
  expect([answer.equals(large), binary]).toEqual([true, true]);
  const pong = once(socket, "pong");
  socket.ping("are you there?");
  expect(String((await pong)[0])).toBe("are you there?");
  socket.close();
});

it("carries every close code and reason that may be sent, both ways", async () => {
  await using mesh = await TestMesh.open();
  const { urls, server } = await openChat(mesh);
  const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
  for (const url of urls) {
    for (const code of codes) {
      const accepted = once(server, "connection") as Promise<[WebSocket]>;
      const fromClient = await openSocket(url);
      const [serverSide] = await accepted;
      const closed = once(serverSide, "close") as Promise<[number, Buffer]>;
      fromClient.close(code, `client ${code}`);
      expect((await closed).map(String)).toEqual([String(code), `client ${code}`]);

      const acceptedNext = once(server, "connection") as Promise<[WebSocket]>;
      const toClient = await openSocket(url);
      const closedByServer = once(toClient, "close") as Promise<[number, Buffer]>;
      (await acceptedNext)[0].close(code, `server ${code}`);
      expect((await closedByServer).map(String)).toEqual([String(code), `server ${code}`]);
    }
  }
});

it("reports a broken connection to each end as without the mesh: 1006", async () => {
  await using mesh = await TestMesh.open();
  const { urls, server } = await openChat(mesh);
  for (const url of urls) {
    const accepted = once(server, "connection") as Promise<[WebSocket]>;
    const client = await openSocket(url);
    const [serverSide] = await accepted;
    const closed = once(serverSide, "close") as Promise<[number]>;
    client.terminate();
    expect((await closed)[0]).toBe(1006);

    const acceptedNext = once(server, "connection") as Promise<[WebSocket]>;
    const next = await openSocket(url);
    const closedByServer = once(next, "close") as Promise<[number]>;
    (await acceptedNext)[0].terminate();
    expect((await closedByServer)[0]).toBe(1006);
  }
});

it("passes on the application's refusal", async () => {
  await using mesh = await TestMesh.open();
  const { urls, server } = await openChat(mesh);
  server.options.verifyClient = (_info, done) => done(false, 401, "no ticket", { "x-why": "ticket" });
  for (const url of urls) {
    const socket = new WebSocket(url);
    socket.on("error", () => {});
    const [, response] = (await once(socket, "unexpected-response")) as [
      unknown,
      { statusCode: number; headers: Record<string, string> },
    ];
    expect([response.statusCode, response.headers["x-why"]]).toEqual([401, "ticket"]);
    socket.terminate();
  }
});

it("negotiates compression and a subprotocol end to end, and keeps fragments in order with a ping between them", async () => {
  await using mesh = await TestMesh.open();
  const { urls, server } = await openChat(mesh);
  server.options.perMessageDeflate = true;
  server.options.handleProtocols = () => "chat.v2";
  for (const url of urls) {
    const socket = new WebSocket(url, ["chat.v1", "chat.v2"], { perMessageDeflate: true });
    socket.on("error", () => {}); // told by its close
    await once(socket, "open");
    expect([socket.protocol, socket.extensions]).toEqual(["chat.v2", "permessage-deflate"]);
    const pong = once(socket, "pong") as Promise<[Buffer]>;
    const answered = once(socket, "message") as Promise<[Buffer]>;
    socket.send("one ", { fin: false });
    socket.ping("between");
    socket.send("two", { fin: true });
    expect([String((await pong)[0]), String((await answered)[0])]).toEqual(["between", "one two"]);
    const closed = once(socket, "close") as Promise<[number]>;
    socket.close(); // without a code, which the other end is told as 1005
    expect((await closed)[0]).toBe(1005);
  }
});

it("holds 1,000 sockets at a time, each with its own messages", async () => {
  await using mesh = await TestMesh.open();
  const { urls, server } = await openChat(mesh);
  const sockets: WebSocket[] = [];
  while (sockets.length < 1_000)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openSocket(urls[0])))));
  expect(server.clients.size).toBe(1_000);
  const answers = await Promise.all(sockets.map((socket, i) => echo(socket, `message of ${i}`)));
  expect(answers.map(([text]) => String(text))).toEqual(sockets.map((_, i) => `message of ${i}`));
  for (const socket of sockets) socket.terminate();
}, 60_000);
