import { once } from "node:events";
import net from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { serveHttp1 } from "../../../sidecar/http1/server.ts";
import { dialRaw } from "../../support/sockets.ts";

/** A forward proxy that hands tunnels to `onTunnel`, and a client connected to it. */
async function connectToProxy(
  onTunnel: (socket: net.Socket, authority: string, received: Buffer) => void,
): Promise<net.Socket> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    serveHttp1(socket, () => expect.fail("no request was made"), {
      forwardProxy: true,
      onTunnel: (authority, received) => onTunnel(socket, authority, received),
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = dialRaw({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return client;
}

async function readText(socket: net.Socket, length: number): Promise<string> {
  let text = "";
  while (text.length < length) text += String((await once(socket, "data"))[0]);
  return text;
}

it("hands over the connection of a CONNECT with the bytes that came after its head", async () => {
  const client = await connectToProxy((socket, authority, received) => {
    socket.on("data", (chunk: Buffer) => socket.write(`then ${chunk.toString()}`));
    socket.write(`${authority} first ${received.toString()}; `);
    socket.resume();
  });
  client.write("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\nearly");
  const opened = "HTTP/1.1 200 OK\r\n\r\norders:80 first early; ";
  expect(await readText(client, opened.length)).toBe(opened);
  client.write("late");
  expect(await readText(client, 9)).toBe("then late");
});
