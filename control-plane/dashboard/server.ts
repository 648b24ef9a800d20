/**
 * The dashboard's port: its page; the mesh as JSON, once (`/api/mesh`) or whenever it has changed (`/api/events`, server-sent
 * events); the certificates (`/api/certs`); one trace (`/api/traces/ID`); the sidecars that have a policy
 * (`/api/policies/KIND/NAMESPACE/NAME`); and what each workload's sidecars hold (`/api/holdings`). It is read-only and listens
 * on loopback only: in a cluster it is reached by `kubectl port-forward`, which requires a permission for that pod. If a page
 * of another site reaches it under a name of that site, its Host gives it away, and it is refused.
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { CertificatesView } from "../identity/certificates-view.ts";
import type { Holder } from "../push/acks.ts";
import type { Holdings } from "../push/push-hub.ts";
import type { SpanView } from "../traffic/trace-store.ts";
import type { MeshView } from "./mesh-view.ts";

export interface DashboardOptions {
  /** A loopback address. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The folder into which `npm run build` puts the page. */
  readonly assets: string;
  readonly view: () => MeshView;
  readonly certificates: () => CertificatesView;
  /** Finds a trace by its id. Undefined: unknown. */
  readonly trace: (id: string) => readonly SpanView[] | undefined;
  /** The sidecars that have or should have a policy, `Kind namespace/name`. */
  readonly holders: (policy: string) => readonly Holder[];
  /** What the sidecars of each workload hold. */
  readonly holdings: () => Holdings;
}

export interface Dashboard {
  readonly port: number;
  close(): Promise<void>;
}

/** As often as sidecars report. */
const tickMs = 2_000;
const maxWatchers = 32;
const requestTimeoutMs = 5_000;

const files: Readonly<Record<string, readonly [name: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/app.css": ["app.css", "text/css; charset=utf-8"],
};

/** Nothing is loaded from elsewhere, and nobody may frame the page. */
const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/** Rejects if the port can't be opened. */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const watchers = new Watchers(options.view);
  const limits = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer(limits, (request, response) => answer(request, response, options, watchers));
  server.listen(options.port, options.host);
  await once(server, "listening");
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    async close() {
      watchers.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { assets, view, certificates, trace, holders, holdings }: DashboardOptions,
  watchers: Watchers,
): void {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const host = hostOf(request.headers.host ?? "");
  if (!isLocal(host)) return plain(response, 421, `reached as ${host}: open it as localhost`);
  if (request.method !== "GET" && request.method !== "HEAD") return plain(response, 405, "only GET and HEAD");
  if (path === "/api/mesh") return send(response, 200, "application/json", JSON.stringify(view()));
  if (path === "/api/certs") return send(response, 200, "application/json", JSON.stringify(certificates()));
  if (path === "/api/holdings") return send(response, 200, "application/json", JSON.stringify(holdings()));
  if (path === "/api/events") return watchers.add(response);
  const [, traceId] = /^\/api\/traces\/([0-9a-f]{32})$/.exec(path) ?? [];
  if (traceId !== undefined) return json(response, trace(traceId));
  const [, kind, namespace, policy] = /^\/api\/policies\/(\w+)\/([\w.-]+)\/([\w.-]+)$/.exec(path) ?? [];
  if (kind !== undefined) return json(response, holders(`${kind} ${namespace}/${policy}`));
  const [name, type] = files[path] ?? [];
  if (name === undefined || type === undefined) return plain(response, 404, "no such page");
  try {
    send(response, 200, type, readFileSync(join(assets, name)));
  } catch {
    plain(response, 503, "the page is not built: npm run build");
  }
}

/** The host of a `Host` field, without its port; an IPv6 address keeps its brackets. */
function hostOf(field: string): string {
  return field.replace(/:\d*$/, "").toLowerCase();
}

/** DNS rebinding points another site's name at this address; that site's pages must not read the mesh. */
function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function json(response: ServerResponse, value: unknown): void {
  if (value === undefined) return plain(response, 404, "not known, or not any more");
  send(response, 200, "application/json", JSON.stringify(value));
}

function plain(response: ServerResponse, status: number, line: string): void {
  send(response, status, "text/plain; charset=utf-8", `${line}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  const headers = { ...securityHeaders, "content-type": type, "content-length": Buffer.byteLength(body) };
  response.writeHead(status, headers);
  response.end(body);
}

/** Everyone who is watching. The mesh is read once for all of them, and not at all while nobody is. */
class Watchers {
  readonly #view: () => MeshView;
  /** By response: the view that was last written to it. */
  readonly #responses = new Map<ServerResponse, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(view: () => MeshView) {
    this.#view = view;
  }

  add(response: ServerResponse): void {
    if (this.#responses.size >= maxWatchers) return plain(response, 503, `${maxWatchers} are watching already`);
    response.writeHead(200, { ...securityHeaders, "content-type": "text/event-stream" });
    response.on("close", () => this.#remove(response));
    this.#timer ??= setInterval(() => this.#sendChanges(), tickMs).unref();
    this.#write(response, JSON.stringify(this.#view()));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const response of this.#responses.keys()) response.end();
  }

  #remove(response: ServerResponse): void {
    this.#responses.delete(response);
    if (this.#responses.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * A slow reader may miss views but never the last one, and nothing is queued for it. A comment line finds out who is still
   * there.
   */
  #sendChanges(): void {
    const now = JSON.stringify(this.#view());
    for (const [response, last] of this.#responses) {
      if (response.writableNeedDrain) continue;
      if (now === last) response.write(":\n\n");
      else this.#write(response, now);
    }
  }

  #write(response: ServerResponse, picture: string): void {
    this.#responses.set(response, picture);
    response.write(`data: ${picture}\n\n`);
  }
}
