/**
 * The HTTP side of a program of the shop: listens on HOST and PORT, answers probes, and misbehaves on demand.
 *
 *     POST /admin  {"failPercent": 30, "delayMs": 3000}    as FAIL_PERCENT and DELAY_MS do from the start
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Span } from "@opentelemetry/api";
import type { Answer } from "./call.ts";
import { FailureShare } from "./failure-share.ts";
import { endSpan, flushSpans, serverSpan } from "./tracing.ts";

export type Reply = Pick<Answer, "status"> & { readonly json: unknown };

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly span: Span;
}

/** What this program does wrong on purpose. */
const trouble = {
  failPercent: Number(process.env["FAIL_PERCENT"] ?? 0),
  delayMs: Number(process.env["DELAY_MS"] ?? 0),
};
let failures = new FailureShare();

/** Serves until SIGTERM, then finishes the requests that have begun. */
export async function serve(name: string, answer: (received: Received) => Promise<Reply>): Promise<void> {
  const host = process.env["HOST"] ?? "0.0.0.0";
  const port = Number(process.env["PORT"] ?? 8080);
  const server = createServer((request, response) => {
    void respond(request, response, answer).catch((error: unknown) => {
      console.error(`${name}: ${request.method} ${request.url}: ${String(error)}`);
      if (!response.headersSent) writeJson(response, { status: 502, json: { error: String(error) } });
    });
  });
  process.once("SIGTERM", () => server.close(() => void flushSpans().then(() => process.exit(0))));
  server.listen(port, host);
  await once(server, "listening");
  console.log(`${name} listens on ${host}:${port}`);
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (received: Received) => Promise<Reply>,
): Promise<void> {
  const path = request.url ?? "/";
  const method = request.method ?? "GET";
  const body = await readBody(request);
  if (path === "/healthz") return writeJson(response, { status: 200, json: { ok: true } });
  if (path === "/admin") return writeJson(response, changeTrouble(method, body));
  const span = serverSpan(`${method} ${path}`, request.headers);
  if (trouble.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, trouble.delayMs));
  const reply = failures.isDue(trouble.failPercent)
    ? { status: 503, json: { error: "busy" } }
    : await answer({ method, path, headers: request.headers, body, span });
  endSpan(span, reply.status);
  writeJson(response, reply);
}

function changeTrouble(method: string, body: string): Reply {
  if (method !== "POST") return { status: 200, json: trouble };
  const wanted: unknown = JSON.parse(body);
  if (typeof wanted !== "object" || wanted === null) return { status: 400, json: { error: "an object is needed" } };
  if ("failPercent" in wanted) {
    trouble.failPercent = Number(wanted.failPercent);
    failures = new FailureShare();
  }
  if ("delayMs" in wanted) trouble.delayMs = Number(wanted.delayMs);
  return { status: 200, json: trouble };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}

function writeJson(response: ServerResponse, { status, json }: Reply): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(json)}\n`);
}
