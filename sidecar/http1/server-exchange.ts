/**
 * One request on a server connection, and the sink that accepts its response.
 *
 * ```
 *   request:   body ──▶ ended             an upgrade or CONNECT:   held ──▶ tunnel ──▶ ended
 *                                                                    └── refused ──────▶ ended
 *   response:  waiting ──▶ body ──▶ ended            waiting ──▶ tunnel ──▶ ended
 *   either:    ─▶ over: client gone, aborted, or both ended; late calls fall on deaf ears
 * ```
 */

import { MeshError } from "../../model/errors.ts";
import type { ClientConnection } from "../net/client-connection.ts";
import { readDecimal } from "../net/decimal.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import type { Outbox } from "../net/outbox.ts";
import type { ReceivedRequest } from "./request-head.ts";
import { type Framing, writeChunk, writeLastChunk, writeResponseHead } from "./writer.ts";

/** Whether a connection should close: after the next response that has not begun, or after the current one. */
export type Departure = "none" | "leaving" | "draining";

/** What an exchange needs from its connection. */
export interface ExchangeConnection {
  readonly outbox: Outbox;
  readonly client: ClientConnection;
  readonly departure: Departure;
  /** Stops or starts the reading of request bytes. */
  pauseRequest(paused: boolean): void;
  /** A tunnel is open: bytes held back may be passed on. Called at most once. */
  releaseHeld(): void;
  /** Bytes that arrived after a request for a tunnel. */
  readonly earlyBytes: number;
  /** The half of a tunnel that we write has ended. */
  endTunnel(): void;
  /** Both directions have ended. `close`: no other request may follow. */
  finish(close: boolean): void;
  /** Answers in the codec's own name, without the body if `bodyless`, and closes. */
  answerError(error: MeshError, bodyless: boolean): void;
  /** Cuts the connection in such a way that the client can't mistake what it has for the whole. */
  cut(): void;
}

/** A body up to this long is read to its end although the response is finished: cheaper than a new connection. */
const longestWaste = 64 * 1024;

export class ServerExchange implements ResponseSink {
  readonly #connection: ExchangeConnection;
  readonly #request: ReceivedRequest;
  #sink: RequestSink | undefined;
  requestState: "body" | "held" | "tunnel" | "ended" = "body";
  #responseState: "waiting" | "body" | "tunnel" | "ended" = "waiting";
  #over = false;
  /** Why the exchange ended before the service had returned a sink to report it to. */
  #orphanedBy: MeshError | undefined;
  /** Whether the response opened a tunnel. */
  #switched = false;
  #framing: Framing = "none";
  /** Response bytes still to come by Content-Length. */
  #remaining = 0;
  #close = false;
  #continued = false;

  constructor(connection: ExchangeConnection, request: ReceivedRequest) {
    this.#connection = connection;
    this.#request = request;
  }

  /** Whether the client said how long the request's body is. */
  get bodyHasLength(): boolean {
    return this.#request.bodyLength !== "chunked";
  }

  /** Whether a response has begun, so that no other can be given. */
  get answered(): boolean {
    return this.#responseState !== "waiting";
  }

  start(service: Service): void {
    const exchange = new Exchange(this.#request);
    exchange.client = this.#connection.client;
    this.#sink = service(exchange, this);
    if (this.#orphanedBy !== undefined) this.#sink.abortRequest(this.#orphanedBy);
    if (!this.#over && this.#responseState === "ended") this.#endBeforeRequest();
  }

  receiveBody(chunk: Buffer): void {
    if (this.#over || this.#sink === undefined) return;
    const wantsMore = this.#sink.writeRequest(chunk);
    if (!wantsMore && this.#responseState !== "ended") this.#connection.pauseRequest(true);
  }

  receiveEnd(trailers: HeaderFields | undefined): void {
    if (this.#over || this.#sink === undefined) return;
    if (this.#asksSwitch()) return this.#awaitSwitch();
    this.requestState = "ended";
    this.#sink.endRequest(trailers);
    this.#settle();
  }

  /** The client has closed its sending side. Returns true if it may do so here, as one half of a tunnel. */
  receiveFin(): boolean {
    if (this.requestState !== "tunnel") return false;
    this.requestState = "ended";
    this.#sink?.endRequest();
    this.#settle();
    return true;
  }

  /** The request can't continue: the client is gone, or broke the rules. It is owed nothing more here. */
  abandon(error: MeshError): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#sink === undefined) this.#orphanedBy = error;
    else if (this.requestState !== "ended" || this.#responseState !== "ended") this.#sink.abortRequest(error);
  }

  drained(): void {
    if (!this.#over && this.#responseState !== "ended") this.#sink?.resumeResponse();
  }

  informational(head: ResponseHead): void {
    if (this.#over || this.#responseState !== "waiting" || this.#request.minorVersion === 0) return;
    if (head.status === 100) this.#continued = true;
    writeResponseHead(this.#connection.outbox, head, "none", undefined);
  }

  head(head: ResponseHead): void {
    if (this.#over || this.#responseState !== "waiting") return;
    const { method, upgrade } = this.#request;
    if (head.status === 101 || (method === "CONNECT" && head.status >= 200 && head.status < 300)) {
      if (method !== "CONNECT" && upgrade === undefined) return this.#breakOff("101 to a request without Upgrade");
      return this.#openTunnel(head, upgrade);
    }
    this.#frame(head);
    this.#responseState = "body";
    writeResponseHead(this.#connection.outbox, head, this.#framing, this.#connectionOption(head.status));
    if (this.requestState === "held") this.#refuseSwitch();
  }

  writeResponse(chunk: Buffer): boolean {
    if (this.#over || chunk.length === 0) return true;
    const { outbox } = this.#connection;
    if (this.#responseState === "tunnel") outbox.append(chunk);
    else if (this.#responseState === "body") this.#writeBody(outbox, chunk);
    return !outbox.congested;
  }

  endResponse(trailers?: HeaderFields): void {
    if (this.#over) return;
    if (this.#responseState === "tunnel") {
      this.#responseState = "ended";
      this.#connection.endTunnel();
      return this.#settle();
    }
    if (this.#responseState !== "body") return;
    if (this.#remaining > 0) return this.#breakOff("an answer shorter than its Content-Length");
    if (this.#framing === "chunked") writeLastChunk(this.#connection.outbox, trailers);
    this.#responseState = "ended";
    if (this.#sink === undefined) return;
    if (this.requestState === "body") this.#endBeforeRequest();
    else this.#settle();
  }

  abortResponse(error: MeshError): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#responseState === "waiting") this.#connection.answerError(error, this.#request.method === "HEAD");
    else this.#connection.cut();
  }

  resumeRequest(): void {
    if (!this.#over) this.#connection.pauseRequest(false);
  }

  #writeBody(outbox: Outbox, chunk: Buffer): void {
    switch (this.#framing) {
      case "chunked":
        return writeChunk(outbox, chunk);
      case "close":
        return outbox.append(chunk);
      case "length":
        if (chunk.length > this.#remaining) return this.#breakOff("an answer longer than its Content-Length");
        this.#remaining -= chunk.length;
        return outbox.append(chunk);
      case "none":
      case "empty":
        return;
    }
  }

  #frame(head: ResponseHead): void {
    const length = head.headers.get("content-length");
    if (this.#request.method === "HEAD" || head.status === 204 || head.status === 304) this.#framing = "none";
    else if (length !== undefined) {
      this.#framing = "length";
      this.#remaining = readDecimal(length);
    } else if (head.bodyless) this.#framing = "empty";
    else this.#framing = this.#request.minorVersion === 1 ? "chunked" : "close";
  }

  /** Decides whether the connection stays open after this response, and says so if the version doesn't imply it. */
  #connectionOption(status: number): string | undefined {
    const { keepAlive, minorVersion, expectsContinue } = this.#request;
    // The rest of a long body that is refused, or a body that was never asked for, may or may not come: so the connection closes.
    const unread = this.requestState === "body" && !this.#endsSoon();
    const unasked = this.#sink === undefined || (expectsContinue && !this.#continued);
    const refusesBody = unread && (status >= 300 || unasked);
    // Bytes sent before a switch that is now refused are not a request.
    const strayBytes = this.#asksSwitch() && this.#connection.earlyBytes > 0;
    const departs = this.#connection.departure !== "none";
    this.#close = !keepAlive || departs || this.#framing === "close" || refusesBody || strayBytes;
    if (this.#close) return "close";
    return minorVersion === 0 ? "keep-alive" : undefined;
  }

  #asksSwitch(): boolean {
    return this.#request.upgrade !== undefined || this.#request.method === "CONNECT";
  }

  #awaitSwitch(): void {
    this.requestState = "held";
    if (this.#switched) this.#releaseTunnel();
    else if (this.#responseState !== "waiting") this.#refuseSwitch();
  }

  #openTunnel(head: ResponseHead, upgrade: string | undefined): void {
    this.#responseState = "tunnel";
    this.#switched = true;
    this.#close = true;
    const connection = upgrade === undefined ? undefined : "upgrade";
    head.headers.remove("content-length");
    writeResponseHead(this.#connection.outbox, head, "none", connection, upgrade);
    if (this.requestState === "held") this.#releaseTunnel();
  }

  #releaseTunnel(): void {
    this.requestState = "tunnel";
    this.#connection.releaseHeld();
  }

  /** An upgrade or CONNECT got an ordinary response. */
  #refuseSwitch(): void {
    this.requestState = "ended";
    this.#sink?.endRequest();
    this.#settle();
  }

  /** Whether the rest of the request is certainly on its way, and short. */
  #endsSoon(): boolean {
    const { bodyLength, expectsContinue } = this.#request;
    if (bodyLength === 0) return true;
    return typeof bodyLength === "number" && bodyLength <= longestWaste && (!expectsContinue || this.#continued);
  }

  /** The response ended before the request: the service takes and drops a short rest; with a long one the connection closes. */
  #endBeforeRequest(): void {
    if (this.#request.bodyLength === 0) return; // its end is reported next
    if (this.#endsSoon() && !this.#close) return this.#connection.pauseRequest(false);
    this.abandon(new MeshError("upstream_closed", "answered before the request had ended"));
    this.#connection.finish(true);
  }

  #settle(): void {
    if (this.#over || this.requestState !== "ended" || this.#responseState !== "ended") return;
    this.#over = true;
    this.#connection.finish(this.#close || this.#connection.departure === "draining");
  }

  #breakOff(why: string): void {
    this.abandon(new MeshError("bad_response", why));
    this.#connection.cut();
  }
}
