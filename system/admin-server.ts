/**
 * The HTTP server of an admin port: it changes nothing but what it is told may be changed, holds few connections, and has little patience. What its pages say, and to
 * whom, is its caller's business. It is off the data path, so it may use `node:http`.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** A page that goes on for as long as its reader stays. */
export interface StreamedPage {
  readonly status: number;
  readonly type: string;
  /** The head is sent. Whoever writes the rest looks at `writableLength`, and stops at `close`. */
  readonly stream: (body: Writable) => void;
}

export type PageMaker = (request: IncomingMessage) => Page | StreamedPage | Promise<Page | StreamedPage>;

export interface AdminServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** By path, `/metrics`. */
  readonly pages: ReadonlyMap<string, PageMaker>;
  /** What PUT does, by path; default: nothing can be changed. */
  readonly changes?: ReadonlyMap<string, PageMaker>;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

const requestTimeoutMs = 5_000;
const mostConnections = 64;

/** Rejects where it can't listen: the port is in use. */
export async function openAdminServer({ host, port, ...routes }: AdminServerOptions): Promise<AdminServer> {
  const limits = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer(limits, (request, response) => {
    answer(routes, request, response).catch((error: unknown) =>
      send(response, plainPage(500, error instanceof Error ? error.message : String(error))),
    );
  });
  server.maxConnections = mostConnections;
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** One line of text. */
export function plainPage(status: number, line: string): Page {
  return { status, type: "text/plain", text: `${line}\n` };
}

async function answer(
  { pages, changes = new Map<string, PageMaker>() }: Pick<AdminServerOptions, "pages" | "changes">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  const page = method === "PUT" ? changes.get(path) : pages.get(path);
  const allowed = changes.has(path) ? "GET, HEAD, PUT" : "GET, HEAD";
  if (method !== "GET" && method !== "HEAD" && (method !== "PUT" || page === undefined)) {
    response.setHeader("allow", allowed);
    return send(response, plainPage(405, `only ${allowed}`));
  }
  send(response, page === undefined ? plainPage(404, `here are ${[...pages.keys()].join(", ")}`) : await page(request));
}

function send(response: ServerResponse, page: Page | StreamedPage): void {
  const headers = { "content-type": page.type, "cache-control": "no-store" };
  if ("stream" in page) {
    response.writeHead(page.status, headers).flushHeaders();
    page.stream(response);
    return;
  }
  response.writeHead(page.status, { ...headers, "content-length": Buffer.byteLength(page.text) });
  response.end(page.text);
}
