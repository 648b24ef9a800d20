/**
 * An admin port on `node:http`, for a process that has loaded it anyway: it holds few connections, and its timeouts are short.
 * Its caller decides what its pages say, and to whom.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerPage, type Page, type PageRequest, type Pages } from "./page.ts";

export interface AdminServerOptions extends Pages {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

const requestTimeoutMs = 5_000;
const maxConnections = 64;

/** Rejects if it can't listen: the port is in use. */
export async function openAdminServer({ host, port, ...pages }: AdminServerOptions): Promise<AdminServer> {
  const limits = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer(limits, (request, response) => {
    void answerPage(pages, asked(request, response)).then((page) => send(response, page));
  });
  server.maxConnections = maxConnections;
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

function asked({ method = "", url = "", headers, socket }: IncomingMessage, response: ServerResponse): PageRequest {
  const gone = new AbortController();
  response.once("close", () => response.writableFinished || gone.abort());
  return {
    method,
    target: url,
    authority: headers.host ?? "",
    localAddress: socket.localAddress ?? "",
    remoteAddress: socket.remoteAddress ?? "",
    gone: gone.signal,
    header: (name) => headers[name]?.toString(),
  };
}

function send(response: ServerResponse, { status, type, text, allow }: Page): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "content-length": Buffer.byteLength(text),
    ...(allow !== undefined && { allow }),
  });
  response.end(text);
}
