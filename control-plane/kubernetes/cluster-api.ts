/**
 * Requests to the API server: JSON in, JSON out, each bounded in time, over connections that are kept. What the server
 * refuses is a value, with its status; only what got no answer rejects. What is asked for is the callers' business.
 *
 * Why not the typed clients of `@kubernetes/client-node`: docs/decisions/0009-own-list-and-watch.md.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { isRecord } from "../source/kube-object.ts";
import type { ClusterCredentials } from "./credentials.ts";

export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Plain data, sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; for a patch it says which kind. */
  readonly contentType?: string;
  /** The time until the whole answer has arrived. Default 10,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  /** Plain JSON values; a text if the answer is not JSON. */
  readonly body: unknown;
  /** When the server asks to be called again. */
  readonly retryAfterMs?: number;
}

export interface WatchRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** The server has accepted the watch. */
  readonly onOpen?: () => void;
  /** Called for each line, in order. */
  readonly onEvent: (event: unknown) => void;
  /** A watch without a byte for this long is considered dead. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** A watch on which nothing arrived for too long. Nothing else reveals that it is dead. */
export class SilentWatch extends Error {
  constructor(afterMs: number) {
    super(`silent for ${afterMs} ms`);
  }
}

const defaultTimeoutMs = 10_000;
/** The time between connecting and the head of a watch's answer. */
const watchHeadMs = 15_000;
/** The limit for one list page or one event: far above what etcd accepts, far below what hurts. */
const maxBytes = 64 * 1024 * 1024;
const keepAliveMs = 30_000;

/** Throws a one-line error if no API server is configured. `kubeconfig` is a file; see `loadCredentials`. */
export async function openClusterApi(kubeconfig?: string): Promise<ClusterApi> {
  const { loadCredentials } = await import("./credentials.ts");
  return new ClusterApi(loadCredentials(kubeconfig));
}

export class ClusterApi {
  readonly #credentials: ClusterCredentials;
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: keepAliveMs });

  constructor(credentials: ClusterCredentials) {
    this.#credentials = credentials;
  }

  /** Rejects if no complete answer arrives in time. */
  async request(request: ApiRequest): Promise<ApiAnswer> {
    const { timeoutMs = defaultTimeoutMs, signal } = request;
    const timeout = AbortSignal.timeout(timeoutMs);
    const within = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
    try {
      const response = await this.#send(request, within);
      const text = await readText(response);
      return { status: response.statusCode ?? 0, body: parseBody(text), ...retryAfter(response) };
    } catch (error) {
      if (timeout.aborted) throw new Error(`no answer within ${timeoutMs} ms`, { cause: error });
      throw error;
    }
  }

  /**
   * Follows a watch until it ends. Resolves with the answer if the server refused it, or with undefined once the server has
   * closed it; rejects if it breaks, falls silent, or is aborted.
   */
  async watch({ path, query, onOpen, onEvent, silenceMs, signal }: WatchRequest): Promise<ApiAnswer | undefined> {
    const silence = new AbortController();
    const fallSilent = (afterMs: number) => setTimeout(() => silence.abort(new SilentWatch(afterMs)), afterMs);
    let heard = fallSilent(watchHeadMs);
    try {
      const within = AbortSignal.any([silence.signal, signal]);
      const response = await this.#send({ path, query: { ...query, watch: "true" } }, within);
      if (response.statusCode !== 200) {
        const body = parseBody(await readText(response));
        return { status: response.statusCode ?? 0, body, ...retryAfter(response) };
      }
      clearTimeout(heard);
      heard = fallSilent(silenceMs);
      onOpen?.();
      await readLines(
        response,
        (line) => onEvent(JSON.parse(line)),
        () => heard.refresh(),
      );
      return undefined;
    } catch (error) {
      throw silence.signal.aborted ? silence.signal.reason : error;
    } finally {
      clearTimeout(heard);
    }
  }

  /** Closes idle connections; busy ones close with their requests. */
  close(): void {
    this.#agent.destroy();
  }

  async #send(request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { method = "GET", path, query = {}, body, contentType = "application/json" } = request;
    const options = await this.#credentials.apply();
    const { server } = this.#credentials;
    const search = new URLSearchParams(query).toString();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = { accept: "application/json", "user-agent": "tulle-control-plane" };
    if (text !== undefined) headers["content-type"] = contentType;
    const sending = httpsRequest({
      ...options,
      agent: this.#agent,
      signal,
      method,
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: server.port === "" ? 443 : server.port,
      path: `${server.pathname.replace(/\/$/, "")}${path}${search === "" ? "" : `?${search}`}`,
      headers: { ...headers, ...(isRecord(options.headers) ? options.headers : {}) },
    });
    const answered = responseOf(sending);
    sending.end(text);
    return answered;
  }
}

function responseOf(sending: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sending.on("response", resolve);
    sending.on("error", reject);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A line without an end when the answer ends is dropped: it is half an event. */
async function readLines(response: IncomingMessage, onLine: (line: string) => void, onBytes: () => void) {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    onBytes();
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      length = 0;
      start = end + 1;
      if (line !== "") onLine(line);
    }
    length += chunk.length - start;
    if (length > maxBytes) throw new Error(`an event of more than ${maxBytes} bytes`);
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
}

const newline = 0x0a;

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // from a proxy before the API server, or a health check
  }
}

/** In seconds; the form with a date is not used by API servers. */
function retryAfter({ headers }: IncomingMessage): { retryAfterMs?: number } {
  const seconds = Number(headers["retry-after"]);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}

/** The error of an answer in one line: the server's message, if there is one. */
export function describeAnswer({ status, body }: ApiAnswer): string {
  const message = isRecord(body) && typeof body["message"] === "string" ? body["message"] : undefined;
  return message === undefined ? `status ${status}` : `status ${status}: ${message.replace(/\s+/g, " ").slice(0, 500)}`;
}
