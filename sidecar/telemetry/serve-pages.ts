/**
 * Serves the sidecar's admin port with its own HTTP/1, which is loaded at the start anyway and is as strict as the data path. It
 * keeps few connections, and has little patience. What its pages say, and to whom, is its caller's business.
 */

import type { Socket } from "node:net";
import { answerPage, type Page, type PageMaker, type PageRequest, type Pages } from "../../system/page.ts";
import { type Http1ServerConnection, serveHttp1 } from "../http1/server.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { type Accept, type Listener, listen } from "../net/listener.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

/** The body of a page that is written as long as it is read. */
export interface PageBody {
  write(text: string): void;
  /** Whether its reader has not yet taken what was written: nothing more should be written for now. */
  readonly isBehind: boolean;
}

/** A page that continues until the request's `gone` aborts. */
export interface StreamedPage {
  readonly status: number;
  readonly type: string;
  /** Called once the head has been sent. */
  readonly stream: (body: PageBody) => void;
}

export type SidecarPage = PageMaker<Page | StreamedPage>;

export interface PageServerOptions extends Pages<Page | StreamedPage> {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly wheel: TimerWheel;
}

const headTimeoutMs = 5_000;
const idleTimeoutMs = 5_000;
/** As long as a scrape usually may take. */
const stallTimeoutMs = 10_000;
/**
 * Whoever watches a page that goes on may stop a while to read what it said, in a pager or by Ctrl-S. Until then it holds one of
 * the connections, and what `isBehind` allows.
 */
const longestPauseMs = 10 * 60_000;
const maxConnections = 64;

/** Rejects if it can't listen: the port is in use. */
export function servePages({ host, port, wheel: timers, ...pages }: PageServerOptions): Promise<Listener> {
  const timing = { timers, headTimeoutMs, idleTimeoutMs, stallTimeoutMs };
  const accept: Accept = (socket, connections) => {
    const service = (exchange: Exchange, response: ResponseSink): RequestSink => {
      const asked = new AskedPage(exchange, response, socket, connection);
      void answerPage(pages, asked).then((page) => asked.send(page));
      return asked;
    };
    const connection = serveHttp1(socket, service, timing);
    connections.serve(socket, connection);
  };
  return listen({ host, port }, accept, { most: maxConnections });
}

/** One request for a page, and the way back for its response. A request body is dropped. */
class AskedPage implements PageRequest, PageBody, RequestSink {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  isBehind = false;
  readonly #headers: HeaderFields;
  readonly #response: ResponseSink;
  readonly #connection: Http1ServerConnection;
  readonly #gone = new AbortController();

  constructor(
    { method, path, authority, headers }: Exchange,
    response: ResponseSink,
    socket: Socket,
    connection: Http1ServerConnection,
  ) {
    this.method = method;
    this.target = path;
    this.authority = authority;
    this.localAddress = socket.localAddress ?? "";
    this.remoteAddress = socket.remoteAddress ?? "";
    this.#headers = headers;
    this.#response = response;
    this.#connection = connection;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  send(page: Page | StreamedPage): void {
    const { status, type } = page;
    const headers = new HeaderFields(["content-type", type, "cache-control", "no-store"]);
    headers.append("date", new Date().toUTCString());
    if ("stream" in page) return this.#stream(page, headers);
    if (page.allow !== undefined) headers.append("allow", page.allow);
    headers.append("content-length", String(Buffer.byteLength(page.text)));
    this.#response.head({ status, headers, bodyless: false });
    this.write(page.text);
    this.#response.endResponse();
  }

  /** A HEAD request for a page without an end is complete after the head: nothing is held for it. */
  #stream({ status, stream }: StreamedPage, headers: HeaderFields): void {
    const bodyless = this.method === "HEAD";
    this.#response.head({ status, headers, bodyless });
    if (!bodyless) {
      this.#connection.allowPauses(longestPauseMs);
      return stream(this);
    }
    this.#response.endResponse();
    this.#gone.abort();
  }

  write(text: string): void {
    if (!this.#response.writeResponse(Buffer.from(text))) this.isBehind = true;
  }

  resumeResponse(): void {
    this.isBehind = false;
  }

  abortRequest(): void {
    this.#gone.abort();
  }

  writeRequest(): boolean {
    return true;
  }

  endRequest(): void {}
}
