/**
 * The HTTPS server for the API server's admission webhooks. It unpacks the envelope, limits what a caller may cost, and
 * always answers; what is admitted is its handlers' business.
 *
 * To add a webhook, write an `AdmissionHandler` and give it a path in `handlers`. A handler answers at once, or within
 * a fraction of a second; if it throws, the answer is 500, and the webhook's `failurePolicy` decides.
 *
 * Callers need no certificate, because the API server has none unless its own configuration is changed. So a handler must be
 * harmless in anybody's hands: it only answers, and reveals hardly more than the caller sent (see `missing-services.ts`).
 */

import { constants } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { err, ok, type Result } from "../../model/result.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { type AdmissionAnswer, type AdmissionRequest, readReview, writeReview } from "./review.ts";

export type AdmissionHandler = (request: AdmissionRequest) => AdmissionAnswer | Promise<AdmissionAnswer>;

/** How a request ended; a label of the metric. `malformed`: it was no AdmissionReview; `failed`: the handler threw. */
export type AdmissionOutcome = "admitted" | "refused" | "malformed" | "failed";

export interface ServingCertificate {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

export interface AdmissionServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly certificate: ServingCertificate;
  /** By path, such as `/validate`. */
  readonly handlers: ReadonlyMap<string, AdmissionHandler>;
  readonly log: Log;
  /** Called once for each request to a handler's path. */
  readonly onAnswer: (path: string, outcome: AdmissionOutcome, seconds: number) => void;
}

export interface AdmissionServer {
  readonly port: number;
  /** For new connections; open ones keep the previous certificate. */
  rotate(certificate: ServingCertificate): void;
  close(): Promise<void>;
}

/** The object and its previous state, each as large as etcd accepts (1.5 MiB). */
export const maxReviewBytes = 4 * 1024 * 1024;
/** The limit for all bodies that are being read together. */
const maxBufferedBytes = 32 * 1024 * 1024;
const requestTimeoutMs = 5_000;
const closeGraceMs = 500;
const maxConnections = 256;

/** A plain answer, for clients other than the API server. */
interface Complaint {
  readonly status: number;
  readonly says: string;
}

/** Rejects if it can't listen: the port is in use. */
export async function openAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  const bodies = new BodyReader();
  const limits = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: 1_000,
  };
  const server = createServer({ ...limits, ...contextOptions(options.certificate) }, (request, response) => {
    answer(options, bodies, request, response).catch((error: unknown) => {
      options.log("warn", "admission request broken off", { reason: reasonOf(error) });
      response.destroy();
    });
  });
  server.maxConnections = maxConnections;
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    rotate: (certificate) => server.setSecureContext(contextOptions(certificate)),
    close: () => close(server),
  };
}

function contextOptions({ certificateChainPem, privateKeyPem }: ServingCertificate): SecureContextOptions {
  return {
    cert: certificateChainPem,
    key: privateKeyPem,
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Requests that have begun may finish within the grace; idle connections are closed. */
async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), closeGraceMs);
  await closed;
  clearTimeout(force);
}

async function answer(
  { handlers, log, onAnswer }: AdmissionServerOptions,
  bodies: BodyReader,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startMs = performance.now();
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const handler = handlers.get(path);
  if (handler === undefined)
    return complain(response, { status: 404, says: `here are ${[...handlers.keys()].join(", ")}` });
  const count = (outcome: AdmissionOutcome): void => onAnswer(path, outcome, (performance.now() - startMs) / 1000);
  const body = await readBody(bodies, request);
  const review = body.ok ? asBadRequest(readReview(body.value)) : body;
  if (!review.ok) {
    count("malformed");
    return complain(response, review.error);
  }
  try {
    const verdict = await handler(review.value);
    count(verdict.verdict === "admit" ? "admitted" : "refused");
    send(response, 200, "application/json", writeReview(review.value, verdict));
  } catch (error) {
    const { kind, namespace, name } = review.value;
    log("error", "admission handler failed", { path, kind, namespace, name, reason: reasonOf(error) });
    count("failed");
    complain(response, { status: 500, says: "the handler failed; see the control plane's log" });
  }
}

function asBadRequest<T>(result: Result<T, string>): Result<T, Complaint> {
  return result.ok ? result : err({ status: 400, says: result.error });
}

async function readBody(bodies: BodyReader, request: IncomingMessage): Promise<Result<string, Complaint>> {
  if (request.method !== "POST") return err({ status: 405, says: "only POST" });
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") return err({ status: 415, says: "only application/json" });
  return await bodies.read(request);
}

/** Reads whole bodies, with a limit for each and one for all together. */
class BodyReader {
  #bufferedBytes = 0;

  /** Rejects if the caller disconnects. */
  async read(request: IncomingMessage): Promise<Result<string, Complaint>> {
    const tooLarge = { status: 413, says: `at most ${maxReviewBytes} bytes` };
    if (Number(request.headers["content-length"] ?? 0) > maxReviewBytes) return err(tooLarge);
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        length += chunk.length;
        this.#bufferedBytes += chunk.length;
        if (length > maxReviewBytes) return err(tooLarge);
        if (this.#bufferedBytes > maxBufferedBytes) return err({ status: 503, says: "too many requests at once" });
      }
      return ok(Buffer.concat(chunks).toString("utf8"));
    } finally {
      this.#bufferedBytes -= length;
    }
  }
}

function complain(response: ServerResponse, { status, says }: Complaint): void {
  // The rest of the request is not read, so the connection can't be reused.
  response.setHeader("connection", "close");
  send(response, status, "text/plain", `${says}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}
