import http from "node:http";
import http2 from "node:http2";
import type net from "node:net";
import { afterEach, expect, it } from "vitest";
import { serveDialled } from "../../../sidecar/intercept/dialled.ts";
import type { RequestSink, Service } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { type Listener, listen } from "../../../sidecar/net/listener.ts";
import { nowhere } from "../../../sidecar/net/pass-through.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { eventually } from "../../support/eventually.ts";

const cleaning: (() => void)[] = [];

afterEach(() => {
  for (const close of cleaning.splice(0).reverse()) close();
});

/** Answers a turn later, so that there is always something under way. */
const service: Service = (_exchange, response): RequestSink => ({
  ...nowhere,
  endRequest: () => {
    setImmediate(() => {
      response.head({ status: 200, headers: new HeaderFields(["content-length", "2"]), bodyless: false });
      response.writeResponse(Buffer.from("ok"));
      response.endResponse();
    });
  },
});

async function serving(): Promise<Listener> {
  const clock = performance;
  const options = { clock, wheel: new TimerWheel(clock), onRefused: () => {} };
  const listener = await listen({ host: "127.0.0.1", port: 0 }, (socket: net.Socket, connections) =>
    serveDialled(socket, connections, { service, protocol: "http1" }, "10.0.0.1:80", options),
  );
  cleaning.push(() => listener.close());
  return listener;
}

interface Asked {
  readonly status: number;
  readonly connection: string | undefined;
}

function ask(agent: http.Agent, port: number): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, agent }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection }));
    });
    request.on("error", reject);
  });
}

it("loses no request of clients with keep-alive connections, and every later response sends them away", async () => {
  const listener = await serving();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  cleaning.push(() => agent.destroy());
  const before: Asked[] = [];
  const since: Asked[] = [];
  let leaving = false;
  const caller = async () => {
    while (since.length < 400) {
      const asked = leaving ? since : before;
      asked.push(await ask(agent, listener.port));
    }
  };
  const callers = Promise.all(Array.from({ length: 8 }, caller));
  await eventually(() => before.length >= 100);
  expect(new Set(before.map(({ connection }) => connection))).toEqual(new Set([undefined]));
  listener.leave();
  leaving = true;
  await callers;
  expect(new Set([...before, ...since].map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(since.map(({ connection }) => connection))).toEqual(new Set(["close"]));
});

it("serves a request on each HTTP/2 connection before it sends the client away", async () => {
  const listener = await serving();
  let session: http2.ClientHttp2Session | undefined;
  let sessions = 0;
  const askOver2 = (): Promise<number> => {
    if (session === undefined || session.closed) {
      session = http2.connect(`http://127.0.0.1:${listener.port}`);
      session.on("error", () => {}); // told by its streams
      sessions++;
    }
    const stream = session.request({ ":path": "/" });
    return new Promise((resolve, reject) => {
      stream.on("error", reject);
      stream.on("response", (headers) => stream.on("end", () => resolve(headers[":status"] ?? 0)).resume());
    });
  };
  cleaning.push(() => session?.destroy());
  const statuses: number[] = [];
  for (let i = 0; i < 20; i++) statuses.push(await askOver2());
  expect(sessions).toBe(1);
  listener.leave();
  for (let i = 0; i < 40; i++) statuses.push(await askOver2());
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(sessions).toBeGreaterThan(10);
});

it("closes a connection without requests", async () => {
  const listener = await serving();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  cleaning.push(() => agent.destroy());
  await ask(agent, listener.port);
  const [kept] = Object.values(agent.freeSockets).flat();
  listener.leave();
  await eventually(() => listener.connectionCount === 0);
  expect(kept?.destroyed).toBe(true);
});
