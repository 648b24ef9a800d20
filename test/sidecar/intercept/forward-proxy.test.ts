import type net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Protocol } from "../../../model/resources.ts";
import { type Dialled, serveDialled } from "../../../sidecar/intercept/dialled.ts";
import { type ForwardProxyOptions, serveForwardProxy } from "../../../sidecar/intercept/forward-proxy.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { type Connections, type Listener, listen } from "../../../sidecar/net/listener.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";
import { RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { RawClient } from "../../support/sockets.ts";

const listeners: Listener[] = [];

afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
});

const naming: Service = (exchange, response) => {
  const sink = new RecordingUpstream().service(exchange, response);
  response.head(responseHead(200, { "x-seen": `${exchange.method} ${exchange.authority} ${exchange.path}` }));
  if (exchange.method === "CONNECT") response.writeResponse(Buffer.from("raw bytes"));
  response.endResponse();
  return sink;
};

async function intercepting(
  serve: (socket: net.Socket, connections: Connections, options: ForwardProxyOptions) => void,
  protocol: Protocol = "detect",
) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const dialled: string[] = [];
  const dial = (host: string, port: number): Dialled | undefined => {
    dialled.push(`${host} ${port}`);
    return host === "loop" ? undefined : { service: naming, protocol };
  };
  const refused: string[] = [];
  const options = { clock, wheel, dial, onRefused: (code: string) => void refused.push(code) };
  const listener = await listen({ host: "127.0.0.1", port: 0 }, (socket, connections) =>
    serve(socket, connections, options),
  );
  listeners.push(listener);
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  return { client: new RawClient(listener.port), dialled, refused, pass };
}

describe("a forward-proxy client", () => {
  it("reaches each destination by name and port, request by request", async () => {
    const { client, dialled } = await intercepting(serveForwardProxy);
    client.send("GET http://orders/a HTTP/1.1\r\nhost: orders\r\n\r\n");
    await client.receive("x-seen: GET orders /a");
    client.send("GET http://[fd00::7]:8080/b HTTP/1.1\r\nhost: [fd00::7]:8080\r\n\r\n");
    await client.receive("x-seen: GET [fd00::7]:8080 /b");
    expect(dialled).toEqual(["orders 80", "fd00::7 8080"]);
  });

  it.each([
    ["GET http://loop/ HTTP/1.1\r\nhost: loop\r\n\r\n", "508", "loop_detected"],
    ["GET / HTTP/1.0\r\n\r\n", "400", "bad_request"],
  ])("is told why it can't be served: %j", async (request, status, code) => {
    const { client, refused } = await intercepting(serveForwardProxy);
    client.send(request);
    await client.receive(`tulle-error: ${code}`);
    expect(refused).toEqual([code]);
    expect(client.received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it("may speak any protocol after CONNECT, and is read from the first byte", async () => {
    const { client, dialled } = await intercepting(serveForwardProxy);
    client.send("CONNECT orders:80 HTTP/1.1\r\nhost: orders:80\r\n\r\n");
    await client.receive("200 OK\r\n");
    client.send("GET /tunnelled HTTP/1.1\r\nhost: orders\r\n\r\n");
    await client.receive("x-seen: GET orders /tunnelled");
    expect(dialled).toEqual(["orders 80"]);
  });

  it.each(["loop:80"])("is cut off after CONNECT %s", async (authority) => {
    const { client, refused } = await intercepting(serveForwardProxy);
    client.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`);
    await client.closed;
    expect(client.received).not.toContain("x-seen");
    expect(refused).toEqual(["loop_detected"]);
  });
});

describe("a connection whose destination is known", () => {
  const serveAs =
    (protocol: Protocol) =>
    (socket: net.Socket, connections: Connections, options: ForwardProxyOptions): void =>
      serveDialled(socket, connections, { service: naming, protocol }, "orders:80", options);

  it.each(["opaque", "tls"] as const)(
    "is not waited for if it is declared %s: the server may speak first",
    async (protocol) => {
      const { client } = await intercepting(serveAs(protocol));
      expect(await client.receive("raw bytes")).toBe("raw bytes");
    },
  );

  it.each(["detect", "http1"] as const)("is detected by its first bytes if it is declared %s", async (protocol) => {
    const { client } = await intercepting(serveAs(protocol));
    client.send("GET /a HTTP/1.1\r\nhost: orders\r\n\r\n");
    expect(await client.receive("x-seen: GET orders /a")).toMatch(/^HTTP\/1.1 200 /);
  });

  it("is opaque if it stays silent", async () => {
    const { client, pass } = await intercepting(serveAs("detect"));
    await eventually(() => {
      pass(100);
      return client.received !== "";
    });
    expect(client.received).toBe("raw bytes");
  });
});
