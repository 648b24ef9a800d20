/**
 * Stands in front of an API server and fails in its place, in the ways that matter: with a status, by never answering, with too
 * little, or by falling silent. Everything else passes through unchanged. Real TLS on both sides.
 */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";
import { ClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";
import { type ClusterCredentials, loadCredentials } from "../../control-plane/kubernetes/credentials.ts";
import { answerTo } from "../support/answer-to.ts";
import { altNames, caConstraints, commonName, makeCertificate, tlv } from "../support/certificates.ts";

export interface ProxiedRequest {
  /** The plural: `pods`. */
  readonly plural: string;
  readonly verb: "list" | "watch";
}

export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number }
  /** No answer at all. */
  | { readonly kind: "hang" }
  /** A list without its items. */
  | { readonly kind: "empty" }
  /** A watch whose events never arrive, though it stays open. */
  | { readonly kind: "silent" }
  /** A watch that is told that its version is gone. */
  | { readonly kind: "expired" }
  /** A watch that ends in the middle of its first event. */
  | { readonly kind: "half" };

const host = "127.0.0.1";

export class FaultProxy {
  /** Asked for each list and watch; undefined: no fault. */
  fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  /** All that were asked, with the time on the clock. */
  readonly requests: (ProxiedRequest & { readonly atMs: number })[] = [];
  readonly api: ClusterApi;
  readonly #upstream: ClusterCredentials;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();

  private constructor(kubeconfig: string, server: ReturnType<typeof createServer>, pem: string, port: number) {
    this.#upstream = loadCredentials(kubeconfig);
    this.#server = server;
    const options = { ca: pem };
    this.api = new ClusterApi({ server: new URL(`https://${host}:${port}`), apply: async () => options });
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(kubeconfig: string): Promise<FaultProxy> {
    const names = altNames(tlv(0x87, Buffer.of(127, 0, 0, 1)));
    const { pem, keyPem } = makeCertificate({ extensions: [caConstraints, names], subject: commonName("fault proxy") });
    const server = createServer({ cert: pem, key: keyPem });
    server.listen(0, host);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no address");
    return new FaultProxy(kubeconfig, server, pem, address.port);
  }

  count(verb: ProxiedRequest["verb"], plural: string): number {
    return this.requests.filter((request) => request.verb === verb && request.plural === plural).length;
  }

  /** Cuts all connections that are open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.api.close();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "https://none");
    const verb = url.searchParams.get("watch") === "true" ? "watch" : "list";
    const asked: ProxiedRequest = { verb, plural: url.pathname.split("/").at(-1) ?? "" };
    this.requests.push({ ...asked, atMs: performance.now() });
    const fault = this.fault(asked);
    if (fault?.kind === "hang") return;
    if (fault?.kind === "status") return answer(response, fault.status, fault.retryAfterSeconds);
    if (fault?.kind === "expired") return expire(response);
    const upstream = await this.#ask(request);
    if (response.destroyed) {
      upstream.destroy();
      return;
    }
    response.on("close", () => upstream.destroy());
    response.writeHead(upstream.statusCode ?? 502, { "content-type": "application/json" });
    response.flushHeaders();
    if (fault?.kind === "empty") {
      const list = await readJson(upstream);
      response.end(JSON.stringify({ ...list, items: [] }));
    } else if (fault?.kind === "silent") {
      upstream.resume();
    } else if (fault?.kind === "half") {
      upstream.once("data", (chunk: Buffer) => response.end(chunk.subarray(0, chunk.length >> 1)));
    } else {
      pipeline(upstream, response, () => {});
    }
  }

  async #ask(request: IncomingMessage): Promise<IncomingMessage> {
    const { server } = this.#upstream;
    const options = await this.#upstream.apply();
    const { host: _, connection: __, ...headers } = request.headers;
    const asking = httpsRequest({
      ...options,
      hostname: server.hostname,
      port: server.port,
      path: request.url,
      method: request.method,
      headers: { ...headers, ...(options.headers as Record<string, string> | undefined) },
    });
    request.pipe(asking);
    return await answerTo(asking);
  }
}

function answer(response: ServerResponse, status: number, retryAfterSeconds: number | undefined): void {
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ kind: "Status", code: status, message: "by order of the test" }));
}

function expire(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  const object = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
  response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
}

async function readJson(response: IncomingMessage): Promise<object> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as object;
}
