/**
 * One request from a program of the shop to another, by the other's plain name: the proxy in the environment is the way into
 * the mesh.
 */

import { Agent, type IncomingHttpHeaders, request } from "node:http";
import type { Span } from "@opentelemetry/api";
import { clientSpan, endSpan, traceHeaders } from "./tracing.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Call {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

// An agent uses the proxy variables only if it is told to; `http_proxy` then gets absolute-form requests.
const agent = new Agent({ keepAlive: true, proxyEnv: process.env });
const patienceMs = 10_000;

/** Rejects only if there was no answer at all. */
export function call({ method = "GET", url, headers, body }: Call, parent: Span): Promise<Answer> {
  const span = clientSpan(`${method} ${new URL(url).hostname}`, parent);
  const all = { ...headers, ...traceHeaders(span) };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      endSpan(span, 599);
      reject(error);
    };
    const outgoing = request(url, { method, headers: all, agent, timeout: patienceMs }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", fail);
      incoming.on("end", () => {
        const status = incoming.statusCode ?? 0;
        endSpan(span, status);
        resolve({ status, headers: incoming.headers, body: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer from ${url} in ${patienceMs} ms`)));
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}
