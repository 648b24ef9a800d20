/** What becomes of a connection to a pod, with an API server that only forwards: the real one is in test/cluster/node. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { connectToPod } from "../../../cli/cluster/pod-connection.ts";

const port = 15_020;
const pod = { namespace: "shop", name: "web-1" };
/** Channels of one port: what it says, and why it can't. */
const [said, complaint] = [0, 1];

let server: Server;
let sockets: WebSocketServer;
/** Given each connection that is let in. */
let serve: (socket: WebSocket) => void;
let refusal: string | undefined;
let asked: string | undefined;

beforeEach(async () => {
  refusal = undefined;
  serve = () => {};
  sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "v4.channel.k8s.io" });
  server = createServer();
  server.on("upgrade", (request, socket, head) => {
    asked = request.url;
    socket.on("error", () => {}); // whoever asked may leave
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on("error", () => {});
      // Each channel begins with the number of the port.
      for (const channel of [said, complaint]) opened.send(Buffer.from([channel, port & 255, port >> 8]));
      serve(opened);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  for (const socket of sockets.clients) socket.terminate();
  server.close();
});

function connect() {
  const config = new KubeConfig();
  const { port: own } = server.address() as AddressInfo;
  config.loadFromClusterAndUser(
    { name: "test", server: `http://127.0.0.1:${own}`, skipTLSVerify: true },
    { name: "me" },
  );
  return connectToPod(config, pod, port);
}

it("carries bytes both ways, and closes with either end", async () => {
  const closed = new Promise<void>((resolve) => {
    serve = (socket) => {
      socket.on("message", (message: Buffer) => socket.send(message));
      socket.on("close", () => resolve());
    };
  });
  const connection = await connect();
  connection.write("hello");
  expect(String((await once(connection, "data"))[0])).toBe("hello");
  expect(asked).toBe("/api/v1/namespaces/shop/pods/web-1/portforward?ports=15020");
  connection.destroy();
  await closed;
});

it("ends when the pod closes", async () => {
  serve = (socket) => {
    socket.send(Buffer.concat([Buffer.from([said]), Buffer.from("bye")]));
    socket.close();
  };
  const connection = await connect();
  let text = "";
  for await (const chunk of connection) text += String(chunk);
  expect(text).toBe("bye");
});

it("says why the pod's port can't be reached", async () => {
  serve = (socket) => socket.send(Buffer.concat([Buffer.from([complaint]), Buffer.from("connection refused\n")]));
  const connection = await connect();
  const [error] = (await once(connection, "close").then(
    () => [undefined],
    (failure: unknown) => [failure],
  )) as [unknown];
  expect(error).toMatchObject({ message: "port 15020 of pod shop/web-1: connection refused" });
});

it.each([
  [
    "403 Forbidden",
    "no way to port 15020 of pod shop/web-1: you may not forward ports there (create pods/portforward)",
  ],
  ["404 Not Found", "no way to port 15020 of pod shop/web-1: there is no such pod"],
])("explains %s", async (status, message) => {
  refusal = status;
  await expect(connect()).rejects.toThrow(message);
});
