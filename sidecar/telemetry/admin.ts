/**
 * The sidecar's admin port: `/metrics`, `/ready` and `/live` for kubelet and Prometheus, open to the pod network and read only.
 * Nothing that changes or dumps anything belongs here: that listens on loopback.
 *
 * It is off the data path, so it may use `node:http`.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MetricRegistry } from "./registry.ts";

/** What is still missing before requests can be served; empty: ready. */
export type Readiness = () => readonly string[];

export interface AdminOptions {
  /** The pod's IP. */
  readonly host: string;
  /** 15020 in a pod; 0: any free one. */
  readonly port: number;
  readonly registry: MetricRegistry;
  readonly readiness: Readiness;
}

export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

const requestTimeoutMs = 5_000;
const mostConnections = 64;

/** Listens. Rejects where it can't: the port is in use. */
export async function openAdmin(options: AdminOptions): Promise<Admin> {
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
    (request, response) => {
      answer(options, request, response).catch((error: unknown) => {
        send(response, 500, "text/plain", `${error instanceof Error ? error.message : String(error)}\n`);
      });
    },
  );
  server.maxConnections = mostConnections;
  server.listen(options.port, options.host);
  await once(server, "listening");
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
      return send(response, 200, options.registry.contentType, await options.registry.expose());
    case "/ready": {
      const missing = options.readiness();
      if (missing.length === 0) return send(response, 200, "text/plain", "ready\n");
      return send(response, 503, "text/plain", `not ready: ${missing.join(", ")}\n`);
    }
    case "/live":
      return send(response, 200, "text/plain", "live\n");
    default:
      return send(response, 404, "text/plain", "here are /metrics, /ready and /live\n");
  }
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}
