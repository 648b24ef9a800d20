/**
 * Threat 27: clients and an application that break the rules in every combination, under retries, timeouts and a breaker. Each
 * request ends, no POST is processed twice, no body arrives cut, and nothing is left behind.
 */

import http from "node:http";
import http2 from "node:http2";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultCircuitBreakerPolicy, defaultRetryPolicy } from "../../model/defaults.ts";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { meshed } from "../support/sidecar-pair.ts";
import { untilClosed } from "../support/sockets.ts";
import { AttackedMesh } from "./attacked-mesh.ts";

const requests = 400;
const clients = 12;

/** What the application does once it has the whole request. */
const deeds: Record<string, (response: http.ServerResponse) => void> = {
  answers: (response) => void response.end("ok"),
  "answers in chunks, with trailers": (response) => {
    response.writeHead(200, { trailer: "x-sum" }).write("o");
    response.addTrailers({ "x-sum": "1" });
    response.end("k");
  },
  "gives hints first": (response) => response.writeEarlyHints({ link: "</a>; rel=preload" }, () => response.end("ok")),
  "is overloaded": (response) => void response.writeHead(503).end("no"),
  "answers in part": ({ socket }) => void socket?.end("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\npart"),
  "answers twice": ({ socket }) => void socket?.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".repeat(2)),
  "speaks no HTTP": ({ socket }) => void socket?.write("\0\r\n\r\n"),
  "closes without a response": ({ socket }) => void socket?.end(),
  "cuts its connection": ({ socket }) => void socket?.resetAndDestroy(),
  hangs: () => {},
};
/** … and what it does before. */
const earlyDeeds: Record<string, (response: http.ServerResponse) => void> = {
  "refuses before the body": (response) => void response.writeHead(413).end("no"),
  "cuts before the body": ({ socket }) => void socket?.resetAndDestroy(),
};

interface Asked {
  readonly id: number;
  readonly deed: string;
  readonly method: "GET" | "POST";
  readonly body: string;
}

const processed = new Map<number, string[]>();
const uncaught: Error[] = [];
const note = (error: Error): void => void uncaught.push(error);
const random = seededRandom(20_261_123);
let mesh: AttackedMesh;

const application = http.createServer((request, response) => {
  const asked = new URL(request.url ?? "", "http://a").searchParams;
  const deed = asked.get("deed") ?? "answers";
  const early = earlyDeeds[deed];
  early?.(response);
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString("latin1");
  });
  request.on("end", () => {
    const id = Number(asked.get("id"));
    processed.set(id, [...(processed.get(id) ?? []), body]);
    if (early === undefined) deeds[deed]?.(response);
  });
});

beforeAll(async () => {
  process.on("uncaughtException", note);
  mesh = await AttackedMesh.open();
  mesh.application.serve = (socket) => void application.emit("connection", socket);
  const budget = { percent: 100, windowMs: 10_000, minRetriesPerSecond: 1_000 };
  const retryOn = [...defaultRetryPolicy.retryOn, "reset", "502", "504"] as const;
  const retry = { ...defaultRetryPolicy, initialDelayMs: 5, maxDelayMs: 20, retryOn, budget };
  const endpoints = [meshed(mesh.target.podIp, "a")];
  mesh.mesh.service("a", endpoints, { retry, timeout: { requestMs: 1_000, perTryMs: 300 } }, "http1");
  const breaker = { ...defaultCircuitBreakerPolicy, openDurationMs: 20, maxRequests: 10, maxPendingRequests: 20 };
  mesh.mesh.backend("a", endpoints, { breaker, protocol: "http1" });
});

afterAll(async () => {
  process.off("uncaughtException", note);
  await mesh[Symbol.asyncDispose]();
});

function pick<T>(choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

function ask(id: number): Asked {
  const deed = random() < 0.4 ? "answers" : pick([...Object.keys(deeds), ...Object.keys(earlyDeeds)]);
  const method = pick(["GET", "POST"] as const);
  return { id, deed, method, body: method === "GET" ? "" : "x".repeat(Math.floor(random() ** 4 * 200_000)) };
}

function pathOf({ id, deed }: Asked): string {
  return `/?${new URLSearchParams({ id: String(id), deed }).toString()}`;
}

/** Settles when the exchange has ended, in whatever way. */
async function overHttp1(asked: Asked): Promise<void> {
  const { method, body } = asked;
  const sized = random() < 0.5 && { "content-length": body.length };
  const to = { host: mesh.upstreamHost, port: 9001, path: pathOf(asked), agent: false };
  const request = http.request({ ...to, method, headers: { host: "a", ...sized } });
  request.on("response", (response) => response.on("error", () => {}).resume());
  const ended = untilClosed(request);
  const half = Math.ceil(body.length / 2);
  request.write(body.slice(0, half));
  if (random() < 0.1) request.destroy();
  else request.end(body.slice(half));
  await ended;
}

async function overHttp2(asked: Asked): Promise<void> {
  const { method, body } = asked;
  const session = http2.connect(`http://${mesh.upstreamHost}:9001`).on("error", () => {});
  const stream = session.request(
    { ":method": method, ":path": pathOf(asked), ":authority": "a" },
    { endStream: method === "GET" },
  );
  const ended = untilClosed(stream.resume());
  if (method === "POST") stream.end(body);
  if (random() < 0.1) stream.destroy();
  await ended;
  session.destroy();
}

it("ends every request, processes none twice, cuts no body, and leaves nothing behind", async () => {
  const all = Array.from({ length: requests }, (_, id) => ask(id));
  const left = [...all];
  const client = async (): Promise<void> => {
    for (let asked = left.pop(); asked !== undefined; asked = left.pop())
      await (random() < 0.5 ? overHttp1(asked) : overHttp2(asked));
  };
  await Promise.all(Array.from({ length: clients }, client));

  const bodies = (asked: Asked): readonly string[] => processed.get(asked.id) ?? [];
  expect(all.filter((asked) => asked.method === "POST" && bodies(asked).length > 1)).toEqual([]);
  expect(all.filter((asked) => bodies(asked).some((body) => body !== asked.body))).toEqual([]);
  expect(processed.size).toBeGreaterThan(requests / 20); // how many the breaker lets through depends on the time
  const { backends } = mesh.web.sidecar.state();
  await eventually(() => {
    const [backend] = backends.all;
    return backend?.pending === 0 && [...backend.liveEndpoints].every(({ load }) => load.pending === 0);
  });
  await eventually(() => mesh.application.sockets.size <= clients);
  expect(uncaught).toEqual([]);
});
