/**
 * The client side of HTTP/1: one connection to a server, one exchange at a time.
 *
 * ```
 *   idle ──send──▶ exchange ──▶ idle        exchange ──▶ tunnel        any ──▶ closed
 * ```
 * A server that sends what it was not asked for is cut off: a byte before a request, after a response, or where no body is
 * allowed would otherwise be read as part of the next response.
 */

import type * as net from "node:net";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { connectFailureCode } from "../net/connect-failure.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { Outbox } from "../net/outbox.ts";
import { ClientExchange, type RequestConnection } from "./client-exchange.ts";
import { defaultLimits, type Http1Limits, type Refusal } from "./limits.ts";
import { type MessageListener, ResponseParser } from "./parser.ts";
import { nothingAsked, type ReceivedResponse } from "./response-head.ts";

export interface Http1ClientOptions {
  /** `targetBytes` has no effect here. */
  readonly limits?: Partial<Http1Limits>;
  /** Names the server in errors: `10.1.2.3:8080`. */
  readonly peer?: string;
  /** The exchange has ended and the connection can take another one. */
  readonly onIdle?: (client: Http1Client) => void;
  /** The connection is gone. Called once, before the current exchange is told. */
  readonly onClosed?: (client: Http1Client, cause: Error | undefined) => void;
  /**
   * The server has bound the connection to its client. Returns true if it is reserved for that client. Default: it is closed
   * after the response.
   */
  readonly onBound?: (client: Http1Client, exchange: Exchange) => boolean;
  /** The connection closed before the first byte of a response. Returns true if the exchange is taken care of. */
  readonly onUnanswered?: (client: Http1Client, exchange: ClientExchange) => boolean;
}

/** How many 1xx heads an exchange may have. */
const maxInformational = 32;

export class Http1Client implements MessageListener<ReceivedResponse>, RequestConnection {
  readonly outbox: Outbox;
  /** How many exchanges were sent on this connection. */
  requestCount = 0;
  /** The value of the server's last `Keep-Alive: timeout=…`. */
  keepAliveTimeoutMs: number | undefined;

  readonly #socket: net.Socket;
  readonly #options: Http1ClientOptions;
  readonly #parser: ResponseParser;
  #current: ClientExchange | undefined;
  #connected: boolean;
  #tunnel: "none" | "open" | "server-ended" = "none";
  #closed = false;
  #keepAlive = true;
  /** Whether a byte of the response has arrived. */
  #answered = false;
  #informationalCount = 0;
  #flushesBefore = 0;

  /** The socket is connected or connecting; what is sent earlier waits in it. It should allow half-open connections. */
  constructor(socket: net.Socket, options: Http1ClientOptions = {}) {
    this.#socket = socket;
    this.#options = options;
    this.outbox = new Outbox(socket, () => this.#current?.drained());
    this.#parser = new ResponseParser({ ...defaultLimits, ...options.limits }, this);
    this.#connected = !socket.connecting;
    socket.setNoDelay(true);
    socket.on("connect", () => {
      this.#connected = true;
    });
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("end", () => this.#receiveFin());
    socket.on("error", (error) => this.#close(error));
    socket.on("close", () => this.#close(undefined));
  }

  /** Whether it can accept an exchange. */
  get idle(): boolean {
    return this.#current === undefined && !this.#closed && this.#keepAlive;
  }

  readonly request = (exchange: Exchange, response: ResponseSink): RequestSink => {
    const clientExchange = new ClientExchange(exchange, response);
    this.send(clientExchange);
    return clientExchange;
  };

  send(exchange: ClientExchange): void {
    if (!this.idle) {
      const error = this.#error("connect_failed", "the connection takes no request now", undefined, "unprocessed");
      return exchange.fail(error);
    }
    this.requestCount++;
    this.#current = exchange;
    this.#answered = false;
    this.#informationalCount = 0;
    this.#flushesBefore = this.outbox.flushes;
    this.#parser.asked = exchange.exchange;
    this.#parser.next();
    exchange.start(this);
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.#close(error);
  }

  /** Takes bytes from the server; called by the socket's reader if `data` events are not used. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    const current = this.#current;
    if (current === undefined) return this.#close(undefined);
    if (!this.#answered) {
      this.#answered = true;
      if (this.#nothingWritten()) return this.#fail("bad_response", "an answer came before the request was sent");
    }
    const at = this.#tunnel === "none" ? this.#parser.read(chunk, 0) : 0;
    if (at < chunk.length && this.#tunnel === "open") this.#receiveRaw(current, chunk.subarray(at));
  }

  receiveHead(head: ReceivedResponse): void {
    const current = this.#current;
    if (current === undefined) return;
    if (head.switches) return this.#openTunnel(current, head);
    if (head.status < 200) {
      if (++this.#informationalCount > maxInformational) return this.#fail("bad_response", "too many 1xx heads");
      return current.response.informational(head);
    }
    if (this.#parser.surplusBytes > 0) return this.#fail("bad_response", "bytes behind the answer");
    const isBound = bindsConnection(head.headers);
    this.#keepAlive = head.keepAlive && (!isBound || this.#options.onBound?.(this, current.exchange) === true);
    this.keepAliveTimeoutMs = head.keepAliveTimeoutMs ?? this.keepAliveTimeoutMs;
    current.response.head(head);
  }

  receiveBody(chunk: Buffer): void {
    if (this.#current?.response.writeResponse(chunk) === false) this.#socket.pause();
  }

  receiveEnd(trailers: HeaderFields | undefined): void {
    const current = this.#current;
    if (current === undefined || this.#tunnel !== "none") return;
    if (this.#parser.surplusBytes > 0) return this.#fail("bad_response", "bytes behind the answer");
    if (!current.sent) this.#keepAlive = false;
    this.#current = undefined;
    this.#parser.asked = nothingAsked;
    current.finish();
    this.#socket.resume();
    if (this.#keepAlive) this.#options.onIdle?.(this);
    else this.#close(undefined);
    current.response.endResponse(trailers);
  }

  refuse(refusal: Refusal): void {
    this.#fail("bad_response", refusal.detail);
  }

  endTunnel(): void {
    this.outbox.flush();
    this.#socket.end();
  }

  abandon(error: MeshError): void {
    this.#current = undefined;
    this.#close(error);
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  #openTunnel(current: ClientExchange, head: ReceivedResponse): void {
    this.#tunnel = "open";
    this.#keepAlive = false;
    current.response.head(head);
    current.openTunnel();
  }

  #receiveRaw(current: ClientExchange, chunk: Buffer): void {
    if (!this.#closed && !current.response.writeResponse(chunk)) this.#socket.pause();
  }

  #receiveFin(): void {
    const current = this.#current;
    if (current === undefined) return this.#close(undefined);
    if (this.#tunnel === "open") {
      this.#tunnel = "server-ended";
      return current.response.endResponse();
    }
    if (!this.#parser.close()) this.#close(undefined);
  }

  #nothingWritten(): boolean {
    return !this.#connected || this.outbox.flushes === this.#flushesBefore;
  }

  #error(code: ErrorCode, why: string, cause: unknown, processed: "unprocessed" | "maybe"): MeshError {
    const peer = this.#options.peer;
    return new MeshError(code, peer === undefined ? why : `${peer}: ${why}`, { cause, processed });
  }

  /** The server broke the rules: the exchange fails and the connection is closed. */
  #fail(code: ErrorCode, why: string): void {
    const current = this.#current;
    this.#current = undefined;
    this.#close(undefined);
    current?.fail(this.#error(code, why, undefined, "maybe"));
  }

  #close(cause: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const unwritten = this.#nothingWritten();
    this.#parser.stop();
    this.#socket.destroy();
    const current = this.#current;
    this.#current = undefined;
    this.#options.onClosed?.(this, cause);
    if (current === undefined) return;
    if (this.#tunnel === "server-ended") return current.finish();
    if (!this.#answered && this.#options.onUnanswered?.(this, current) === true) return;
    const why = cause === undefined ? "closed before the answer was complete" : cause.message;
    current.fail(this.#error(this.#closeCode(cause), why, cause, unwritten ? "unprocessed" : "maybe"));
  }

  #closeCode(cause: Error | undefined): ErrorCode {
    if (!this.#connected) return connectFailureCode(cause);
    return cause === undefined ? "upstream_closed" : "upstream_reset";
  }
}

/** NTLM and Negotiate authenticate the connection instead of the request, so it must not be shared. */
function bindsConnection(headers: HeaderFields): boolean {
  const { flat } = headers;
  for (let i = 0; i < flat.length; i += 2)
    if (flat[i] === "www-authenticate" && /^(?:ntlm|negotiate)\b/i.test(flat[i + 1] as string)) return true;
  return false;
}
