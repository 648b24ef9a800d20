import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import type { Listener } from "../../../sidecar/net/listener.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { type PageBody, type PageServerOptions, servePages } from "../../../sidecar/telemetry/serve-pages.ts";
import { plainPage } from "../../../system/page.ts";
import { answerTo } from "../../support/answer-to.ts";
import { eventually } from "../../support/eventually.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { dialRaw } from "../../support/sockets.ts";

const wheel = new TimerWheel(performance);
const host = "127.0.0.1";
let server: Listener | undefined;

afterEach(() => server?.close());

async function serve(pages: Pick<PageServerOptions, "pages" | "changes">): Promise<number> {
  server = await servePages({ host, port: 0, wheel, ...pages });
  return server.port;
}

async function ask(port: number, method: string, path: string): Promise<http.IncomingMessage> {
  const asking = http.request({ host, port, method, path, agent: false, headers: { asked: "why" } }).end();
  const response = await answerTo(asking);
  return response;
}

it("passes the request and the client's address to a page", async () => {
  const port = await serve({
    pages: new Map([
      [
        "/asked",
        (asked) =>
          plainPage(200, [asked.target, asked.authority, asked.header("asked"), asked.remoteAddress].join(" ")),
      ],
    ]),
  });
  const response = await ask(port, "GET", "/asked?for=it");
  expect(response.headers).toMatchObject({ "content-type": "text/plain", "cache-control": "no-store" });
  expect(await text(response)).toBe(`/asked?for=it 127.0.0.1:${port} why 127.0.0.1\n`);
});

it("answers HEAD without a body, and lists the allowed methods if one is not", async () => {
  const port = await serve({
    pages: new Map([["/level", () => plainPage(200, "low")]]),
    changes: new Map([["/level", () => plainPage(200, "high")]]),
  });
  const head = await ask(port, "HEAD", "/level");
  expect([head.headers["content-length"], await text(head)]).toEqual(["4", ""]);
  expect(await text(await ask(port, "PUT", "/level"))).toBe("high\n");
  const refused = await ask(port, "DELETE", "/level");
  expect([refused.statusCode, refused.headers.allow]).toEqual([405, "GET, HEAD, PUT"]);
});

it("tells a page that its client has left", async () => {
  let gone: AbortSignal | undefined;
  const port = await serve({
    pages: new Map([
      [
        "/slow",
        (asked) => {
          gone = asked.gone;
          return new Promise<never>(() => {});
        },
      ],
    ]),
  });
  const asking = http.get({ host, port, path: "/slow", agent: false });
  asking.on("error", () => {}); // it is broken off below
  await eventually(() => gone !== undefined);
  expect(gone?.aborted).toBe(false);
  asking.destroy();
  await eventually(() => gone?.aborted === true);
});

it("reports that a reader is behind until it has read what was written", async () => {
  const opened = Promise.withResolvers<PageBody>();
  const port = await serve({
    pages: new Map([["/lines", () => ({ status: 200, type: "text/plain", stream: opened.resolve })]]),
  });
  const reader = dialRaw({ host, port });
  reader.write("GET /lines HTTP/1.1\r\nHost: here\r\n\r\n");
  const body = await opened.promise;
  const line = `${"x".repeat(64 * 1024)}\n`;
  let lines = 0;
  for (; !body.isBehind && lines < 1_000; lines++) body.write(line);
  expect(lines).toBeLessThan(1_000);
  reader.resume();
  await eventually(() => !body.isBehind);
  reader.destroy();
});

/** A server whose time passes by hand. */
async function serveByHand(pages: PageServerOptions["pages"]) {
  const clock = new HandClock();
  const slow = new TimerWheel(clock, { drive: false });
  const byHand = await servePages({ host, port: 0, wheel: slow, pages });
  server = byHand;
  const pass = (seconds: number) => {
    for (let passed = 0; passed < seconds; passed++) {
      clock.advance(1_000);
      slow.advance();
    }
  };
  return { byHand, pass };
}

it("closes a client that reads nothing of a page for as long as a scrape may take", async () => {
  const page = plainPage(200, "x".repeat(20_000_000));
  const { byHand, pass } = await serveByHand(new Map([["/metrics", () => page]]));
  const reader = dialRaw({ host, port: byHand.port });
  reader.write("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
  await once(reader, "readable");
  expect(byHand.connectionCount).toBe(1);
  pass(20);
  await eventually(() => byHand.connectionCount === 0);
  reader.destroy();
});

it("keeps the place of who pauses while reading a page that goes on, for minutes but not for ever", async () => {
  const opened = Promise.withResolvers<PageBody>();
  const stream = { status: 200, type: "text/plain", stream: opened.resolve };
  const { byHand, pass } = await serveByHand(new Map([["/lines", () => stream]]));
  const reader = dialRaw({ host, port: byHand.port });
  reader.on("error", () => {}); // it is broken off in the end
  reader.write("GET /lines HTTP/1.1\r\nHost: here\r\n\r\n");
  const body = await opened.promise;
  const fill = () => {
    while (!body.isBehind) body.write("x".repeat(64 * 1024));
  };
  fill();
  pass(9 * 60);
  reader.resume();
  await eventually(() => !body.isBehind);
  reader.pause();
  fill();
  pass(9 * 60);
  expect(byHand.connectionCount).toBe(1);
  pass(11 * 60);
  await eventually(() => byHand.connectionCount === 0);
  reader.destroy();
});

it("refuses what is ambiguous as strictly as the data path", async () => {
  const port = await serve({ pages: new Map([["/live", () => plainPage(200, "live")]]) });
  const socket = dialRaw({ host, port });
  socket.end("GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
});

it("answers a client while another address holds all connections, each in the middle of a head", async () => {
  const port = await serve({ pages: new Map([["/live", () => plainPage(200, "live")]]) });
  const crowd = Array.from({ length: 64 }, () => dialRaw({ host, port, localAddress: "127.0.0.2" }));
  for (const socket of crowd) socket.write("GET /live HT");
  await eventually(() => server?.connectionCount === 64);
  expect(await text(await ask(port, "GET", "/live"))).toBe("live\n");
  for (const socket of crowd) socket.destroy();
});
