import { describe, expect, it } from "vitest";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { eventually } from "../../support/eventually.ts";
import { answerWith, exchange, get, ok, proxy, service, start } from "./serving.ts";

describe("upgrades and tunnels", () => {
  const ask =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
  const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  it("carries raw bytes both ways after a 101, with half close", async () => {
    const { client, upstream } = await exchange(ask);
    expect(upstream.received).toBe(
      "GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    upstream.send(`${switched}hello`);
    expect(await client.receive("hello")).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    );
    client.send("from client");
    await upstream.receive("from client");
    client.socket.end();
    await upstream.closed;
    await client.closed;
    expect(proxy.pool.size).toBe(0);
  });

  it("continues in one direction when the other has ended", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.socket.removeAllListeners("end");
    upstream.send(switched);
    await client.receive("\r\n\r\n");
    client.socket.end("last");
    await upstream.receive("last");
    upstream.send("still here").socket.end();
    expect(await client.receive("still here")).toContain("still here");
    await client.closed;
  });

  it("holds bytes that come before the switch", async () => {
    const { client, upstream } = await exchange(`${ask}early`);
    client.send(" bird");
    await eventually(() => [...proxy.connections].some((connection) => connection.heldBytes === 10));
    expect(upstream.received).not.toContain("early");
    upstream.send(switched);
    await upstream.receive("early bird");
    expect(client.received).not.toContain("early");
  });

  it("treats an upgrade answered with 200 as an ordinary exchange", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.send(ok);
    await client.receive("ok");
    client.send(get);
    await upstream.receive("GET / ");
    upstream.send(ok);
    expect(await client.receive((text) => text === ok + ok)).toBe(ok + ok);
  });

  it("drops early bytes with the connection if the switch is refused", async () => {
    const { client, upstream } = await exchange(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    upstream.send(ok);
    await client.closed;
    expect(client.received).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    expect(upstream.received).not.toContain("smuggled");
  });

  it("drops early bytes also if the switch is refused before they are read", async () => {
    const { layer, events } = service(answerWith(403, "no"));
    const { client } = await start({ layer });
    const refused = client().send(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    await refused.closed;
    expect(refused.received).toBe("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    expect(events).toEqual(["end"]);
  });

  it("ends the request of a client that asked to close and was answered before the service returned", async () => {
    const { layer, events } = service(answerWith(200, "ok"));
    const { client } = await start({ layer });
    await client().send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").closed;
    expect(events).toEqual(["end"]);
  });

  it("never asks for h2c", async () => {
    const { upstream } = await exchange(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    expect(upstream.received).toBe(get);
  });

  it("refuses a 101 to another protocol", async () => {
    const { client, upstream } = await exchange(ask);
    upstream.send(switched.replace("websocket", "h2c"));
    expect(await client.receive("\r\n\r\n")).toMatch(/^HTTP\/1\.1 502 /);
  });

  it("opens a tunnel after a 2xx to CONNECT", async () => {
    const { client, upstream } = await exchange("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nearly", {
      server: { forwardProxy: true },
    });
    expect(upstream.received).toBe("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nraw");
    expect(await client.receive("raw")).toBe("HTTP/1.1 200 OK\r\n\r\nraw");
    await upstream.receive("early");
    upstream.socket.end();
    expect(await client.closed).toBe("ended");
  });

  it("accepts a service that switches before it returns", async () => {
    const { layer, events } = service((response) => {
      response.head({ status: 101, headers: new HeaderFields(), bodyless: false });
      response.writeResponse(Buffer.from("raw"));
      response.endResponse();
    });
    const { client } = await start({ layer });
    const tunnel = client().send(`${ask}early`);
    expect(await tunnel.receive("raw")).toMatch(/\r\n\r\nraw$/);
    await tunnel.closed;
    await eventually(() => events.length > 1);
    expect(events).toEqual(["body 5", "end"]);
  });
});
