/** WebSockets whose ends speak different versions of HTTP: extended CONNECT (RFC 8441) at the one, Upgrade at the other. */

import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import type { Protocol } from "../../model/resources.ts";
import { meshed, nextPodIp, redirectedTo, TestMesh } from "../support/sidecar-pair.ts";

const applicationPort = 8080;

interface Ways {
  /** By two sidecars, and in the clear by that of the application alone. */
  readonly addresses: readonly string[];
  readonly webIp: string;
  readonly podIp: string;
}

async function openWays(mesh: TestMesh, protocol: Protocol): Promise<Ways> {
  const [host, podIp] = [nextPodIp(), nextPodIp()];
  const { podIp: webIp } = await mesh.sidecar("web", {
    upstreams: [{ host: "orders", port: 80, listenHost: host, listenPort: 9001 }],
  });
  await mesh.sidecar("orders", { podIp, protocol, originalDestination: redirectedTo(podIp, applicationPort) });
  mesh.service("orders", [meshed(podIp, "orders")], {}, protocol);
  return { addresses: [`${host}:9001`, `${podIp}:15006`], webIp, podIp };
}

/** As a browser does over HTTP/2: no key, and no proof is asked for. */
async function connectAsBrowser(address: string): Promise<[http2.ClientHttp2Stream, http2.IncomingHttpHeaders]> {
  const session = http2.connect(`http://${address}`);
  onTestFinished(() => session.destroy());
  await once(session, "remoteSettings");
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/chat",
    ":authority": "orders",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "chat",
    origin: "http://orders",
  });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  return [stream, headers];
}

const textFrame = (text: string): Buffer => Buffer.concat([Buffer.of(0x81, text.length), Buffer.from(text)]);
/** Of a client: masked, here by zeros. */
const maskedFrame = (text: string): Buffer =>
  Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]);

it("connects a browser that speaks HTTP/2 to an application that speaks HTTP/1.1, which proves that it means WebSocket", async () => {
  await using mesh = await TestMesh.open();
  const { addresses, podIp } = await openWays(mesh, "http1");
  const server = new WebSocketServer({ host: podIp, port: applicationPort });
  onTestFinished(() => server.close());
  server.on("connection", (socket) => socket.on("message", (text: Buffer) => socket.send(text.toString())));
  await once(server, "listening");
  for (const address of addresses) {
    const [stream, headers] = await connectAsBrowser(address);
    expect(headers).toMatchObject({ ":status": 200, "sec-websocket-protocol": "chat" });
    expect(headers).not.toHaveProperty("sec-websocket-accept");
    stream.write(maskedFrame("hello"));
    expect(((await once(stream, "data")) as [Buffer])[0]).toEqual(textFrame("hello"));
    stream.close();
  }
});

it("does not accept a 101 without that proof", async () => {
  await using mesh = await TestMesh.open();
  const { addresses, podIp } = await openWays(mesh, "http1");
  const keys: unknown[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {}); // cut by the sidecar
    socket.once("data", (text) => {
      keys.push(/sec-websocket-key: (\S+)/i.exec(String(text))?.[1]);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nevil");
    });
  });
  server.listen(applicationPort, podIp);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  for (const address of addresses) {
    const [, headers] = await connectAsBrowser(address);
    expect(headers).toMatchObject({ ":status": 502, "tulle-error": "bad_response" });
  }
  expect(keys.map((key) => Buffer.from(String(key), "base64").length)).toEqual(addresses.map(() => 16));
  expect(new Set(keys).size).toBe(addresses.length);
});

it("connects a client that speaks HTTP/1.1 to an application that speaks HTTP/2, and gives it the proof it asks for", async () => {
  await using mesh = await TestMesh.open();
  const { webIp, podIp } = await openWays(mesh, "http2");
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  const protocols: unknown[] = [];
  server.on("stream", (stream, headers) => {
    protocols.push(headers[":protocol"]);
    stream.respond({ ":status": 200 });
  });
  server.listen(applicationPort, podIp);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  // By the forward proxy: a port that is declared as HTTP/2 speaks nothing else.
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const headers = { host: "orders", connection: "upgrade", upgrade: "websocket", "sec-websocket-key": key };
  const asking = http.get({ host: webIp, port: 15_001, path: "http://orders/chat", headers, agent: false });
  const [answer, socket] = (await once(asking, "upgrade")) as [http.IncomingMessage, net.Socket];
  onTestFinished(() => void socket.destroy());
  expect(answer.headers["sec-websocket-accept"]).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  expect(protocols).toEqual(["websocket"]);
});
