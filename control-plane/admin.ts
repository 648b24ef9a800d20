/**
 * The control plane's admin port, read only: `/metrics`, `/ready`, `/live` for everyone, `/status` on loopback only,
 * since it tells of every policy and workload of the mesh.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

export interface AdminOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly registry: Registry;
  readonly ready: () => boolean;
  /** Plain data. */
  readonly status: () => unknown;
}

export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

const requestTimeoutMs = 5_000;
const mostConnections = 64;

/** Rejects in one plain line where the port can't be had. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const limits = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer(limits, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  server.maxConnections = mostConnections;
  server.listen(options.port, options.host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Error("can't listen", { cause: error });
  }
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(options: AdminOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(response, 405, "text/plain", "only GET and HEAD\n");
  }
  switch ((request.url ?? "").split("?", 1)[0] ?? "") {
    case "/metrics":
      return send(response, 200, options.registry.contentType, await options.registry.metrics());
    case "/ready":
      return options.ready()
        ? send(response, 200, "text/plain", "ready\n")
        : send(response, 503, "text/plain", "not ready\n");
    case "/live":
      return send(response, 200, "text/plain", "live\n");
    case "/status":
      return isLoopback(request.socket.remoteAddress ?? "")
        ? send(response, 200, "application/json", `${JSON.stringify(options.status())}\n`)
        : send(response, 403, "text/plain", "only on loopback\n");
    default:
      return send(response, 404, "text/plain", "there are /metrics, /ready, /live and /status\n");
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  response.end(body);
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
