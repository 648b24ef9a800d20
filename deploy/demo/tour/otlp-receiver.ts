/** A small OTLP/HTTP receiver: keeps the spans of the tour's mesh, and forwards each export as the environment says. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { type ReceivedSpan, readSpans } from "./otlp-spans.ts";

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly #server: Server;
  /** Where exports are forwarded; undefined: nowhere. */
  readonly #forwardTo: string | undefined;

  /** Listens on a free port of 127.0.0.1. */
  static async listen(env: NodeJS.ProcessEnv): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(env);
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  private constructor(env: NodeJS.ProcessEnv) {
    const base = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    const whole = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    this.#forwardTo = whole ?? (base === undefined ? undefined : `${base.replace(/\/$/, "")}/v1/traces`);
    this.#server = createServer((request, response) => {
      void this.#receive(request, response).catch((error: unknown) => {
        response.writeHead(400).end(String(error));
      });
    });
  }

  /** The value for OTEL_EXPORTER_OTLP_ENDPOINT. */
  get endpoint(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the receiver does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
    const raw = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
    if (request.url === "/v1/traces") this.spans.push(...readSpans(body));
    // Forward before answering, so that the spans of a program that flushes and exits are forwarded too.
    if (this.#forwardTo !== undefined) await this.#forward(this.#forwardTo, body);
    // An empty ExportTraceServiceResponse: everything was accepted.
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  }

  /** The tour's own result must not depend on whether anybody else listens. */
  async #forward(url: string, body: Buffer): Promise<void> {
    const headers = { "content-type": "application/x-protobuf" };
    await fetch(url, { method: "POST", headers, body: new Uint8Array(body) }).catch((error: unknown) => {
      process.stderr.write(`demo: ${url} does not take spans: ${String(error)}\n`);
    });
  }
}
