/**
 * The server side of HTTP/1: one client connection, with one request after the other.
 *
 * ```
 *   open ──▶ lingering ──▶ closed         open: idle ⇄ head ⇄ exchange
 *     └────────────────────────▲
 * ```
 * Lingering: our last byte is written; what the client still sends is read and dropped, so that its kernel does not discard
 * the response (RFC 9112 §9.6). Limited in time.
 *
 * Absolute-form targets are always accepted (RFC 9112 §3.2.2); CONNECT only as a forward proxy, otherwise 501. A client
 * that closes its sending side while it waits for a response counts as gone, as with most proxies.
 */

import type * as net from "node:net";
import * as tls from "node:tls";
import { type ErrorCode, errorCodes, MeshError } from "../../model/errors.ts";
import { ClientConnection } from "../net/client-connection.ts";
import type { Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { isLost } from "../net/lost-peer.ts";
import { Outbox } from "../net/outbox.ts";
import { receiveFrom } from "../net/shared-reads.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { defaultLimits, type Http1Limits, Refusal } from "./limits.ts";
import { type MessageListener, RequestParser } from "./parser.ts";
import type { ReceivedRequest } from "./request-head.ts";
import { type Departure, type ExchangeConnection, ServerExchange } from "./server-exchange.ts";
import {
  type AwaitedConnection,
  type AwaitedOfRequest,
  type Http1Patience,
  ServerPatience,
} from "./server-patience.ts";
import { writeResponseHead } from "./writer.ts";

export interface Http1ServerOptions extends Http1Patience {
  /** Without it there are no timeouts. */
  readonly timers?: TimerWheel;
  readonly limits?: Partial<Http1Limits>;
  /** Serve CONNECT, and don't forward `Proxy-Authorization`. Default false. */
  readonly forwardProxy?: boolean;
  /** The requests' scheme, put into every exchange. Default `http`. */
  readonly scheme?: "http" | "https";
  /** Called when the codec itself refuses a request. */
  readonly onRefused?: (code: ErrorCode, detail: string) => void;
  /** Called when the socket is gone; not for one that `onTunnel` took over. */
  readonly onClosed?: () => void;
  /**
   * With `forwardProxy`: takes over the connection of a CONNECT after it was answered with 200, with the bytes that were read
   * after its head. Without this, a CONNECT is an exchange for the service like any other.
   */
  readonly onTunnel?: (authority: string, received: Buffer) => void;
}

/** How many bytes of later requests, or sent before a protocol switch, are read before reading stops. */
const maxHeldBytes = 64 * 1024;

const tunnelOpen = Buffer.from("HTTP/1.1 200 OK\r\n\r\n");

/** Serves a connection. `received`: bytes already read from it. The socket should allow half-open connections. */
export function serveHttp1(
  socket: net.Socket | tls.TLSSocket,
  service: Service,
  options: Http1ServerOptions,
  received?: Buffer,
): Http1ServerConnection {
  const connection = new Http1ServerConnection(socket, service, options);
  if (received !== undefined && received.length > 0) connection.receive(received);
  return connection;
}

export class Http1ServerConnection implements MessageListener<ReceivedRequest>, ExchangeConnection, AwaitedConnection {
  readonly outbox: Outbox;
  readonly client = new ClientConnection();
  departure: Departure = "none";
  /** How many requests were passed to the service. */
  requestCount = 0;
  /** How many requests the codec itself refused. */
  refusedCount = 0;
  /** How many bytes of later requests, or sent before a protocol switch, were read and are waiting. */
  heldBytes = 0;

  readonly #socket: net.Socket | tls.TLSSocket;
  readonly #service: Service;
  readonly #options: Http1ServerOptions;
  readonly #parser: RequestParser;
  readonly #patience: ServerPatience | undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#patience?.noteRead(chunk.length);
    this.receive(chunk);
  };
  readonly #onEnd = (): void => this.#receiveFin();
  readonly #onError = (): void => this.#closed();
  readonly #onClose = (): void => {
    this.#closed();
    this.#options.onClosed?.();
  };
  #phase: "open" | "lingering" | "closed" | "handed-over" = "open";
  /** The authority of a CONNECT whose connection `onTunnel` is about to take over. */
  #tunnelTo: string | undefined;
  #current: ServerExchange | undefined;
  #held: Buffer[] = [];
  #requestPaused = false;
  /** Whether the next request waits until the client has taken the previous responses. */
  #nextWaits = false;

  constructor(socket: net.Socket | tls.TLSSocket, service: Service, options: Http1ServerOptions) {
    this.#socket = socket;
    this.#service = service;
    this.#options = options;
    this.outbox = new Outbox(socket, () => this.#drained());
    this.#parser = new RequestParser({ ...defaultLimits, ...options.limits }, this);
    if (options.timers !== undefined) this.#patience = new ServerPatience(this, options.timers, options);
    socket.setNoDelay(true);
    // Whoever takes over the connection of a CONNECT reads it in its own way.
    if (options.onTunnel === undefined) receiveFrom(socket, this.#onData);
    else socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.resume();
    this.#patience?.waitFor("request");
    // An error on a socket that was handed over too late is of no interest any more.
    if (socket.closed) process.nextTick(this.#onClose);
    else if (socket.readableEnded) process.nextTick(this.#onEnd);
  }

  /** Finishes the current exchange, tells the client that it is the last, and closes. A tunnel ends by itself. */
  drain(): void {
    this.departure = "draining";
    if (this.isAtRest) this.linger();
  }

  /**
   * Says in the next response that it is the last, and closes after it. If a response has begun without saying so, or nothing
   * is in progress, another request may already be on its way: closing waits a second for that.
   */
  leave(): void {
    if (this.departure === "none") this.departure = "leaving";
    if (this.isAtRest && !this.#nextWaits) this.#patience?.waitFor("request");
  }

  /** For a response that goes on for as long as somebody reads it, and whose reader may pause for `longestMs`. */
  allowPauses(longestMs: number): void {
    this.#patience?.allowPauses(longestMs);
  }

  get isAtRest(): boolean {
    return this.#phase === "open" && this.#current === undefined && !this.insideHead;
  }

  /** Whether part of a head has arrived. */
  get insideHead(): boolean {
    return this.#parser.insideHead;
  }

  get isLingering(): boolean {
    return this.#phase === "lingering";
  }

  get awaitedOfRequest(): AwaitedOfRequest {
    const current = this.#current;
    if (current?.requestState === "tunnel") return "tunnel";
    if (current?.requestState !== "body" || this.#requestPaused) return "nothing";
    return current.bodyHasLength ? "body-of-known-length" : "body";
  }

  get isLost(): boolean {
    return isLost(this.#socket);
  }

  get earlyBytes(): number {
    return this.heldBytes + this.#parser.surplusBytes;
  }

  /** Closes at once. */
  destroy(error?: Error): void {
    this.#socket.destroy(error);
    this.#closed();
  }

  receive(chunk: Buffer): void {
    if (this.#phase !== "open") return;
    const current = this.#current;
    if (this.#nextWaits) this.#hold(chunk);
    else if (current === undefined || current.requestState === "body") this.#parse(chunk);
    else if (current.requestState === "tunnel") current.receiveBody(chunk);
    else this.#hold(chunk);
  }

  #parse(chunk: Buffer): void {
    const at = this.#parser.read(chunk, 0);
    if (this.#tunnelTo !== undefined) return this.#handOver(this.#tunnelTo, chunk.subarray(at));
    if (this.#phase !== "open") return;
    if (at < chunk.length) return this.receive(chunk.subarray(at));
    if (this.#current === undefined && this.insideHead) this.#patience?.waitFor("head");
  }

  #hold(chunk: Buffer): void {
    this.#held.push(Buffer.from(chunk));
    this.heldBytes += chunk.length;
    this.#updateReading();
  }

  #updateReading(): void {
    if (this.#requestPaused || this.heldBytes > maxHeldBytes) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  releaseHeld(): void {
    if (this.#held.length === 0) return;
    const held = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#held = [];
    this.heldBytes = 0;
    this.receive(held);
    if (this.#phase === "open") this.#updateReading();
  }

  receiveHead(head: ReceivedRequest): void {
    if (this.#options.scheme !== undefined) head.scheme = this.#options.scheme;
    if (head.method === "CONNECT" && this.#options.forwardProxy !== true)
      return this.refuse(new Refusal("unsupported", "CONNECT where no forward proxy is"));
    if (head.proxied && this.#options.forwardProxy === true) head.headers.remove("proxy-authorization");
    this.requestCount++;
    if (head.method === "CONNECT" && this.#options.onTunnel !== undefined) {
      this.#tunnelTo = head.authority;
      return;
    }
    this.#patience?.waitFor("progress");
    this.#current = new ServerExchange(this, head);
    this.#current.start(this.#service);
  }

  /** Hands the paused socket over to another codec. */
  #handOver(authority: string, received: Buffer): void {
    this.#phase = "handed-over";
    this.#patience?.stop();
    this.#socket.pause();
    this.#socket.off("data", this.#onData).off("end", this.#onEnd);
    this.#socket.off("error", this.#onError).off("close", this.#onClose);
    this.outbox.append(tunnelOpen);
    this.outbox.flush();
    this.#options.onTunnel?.(authority, Buffer.from(received));
  }

  receiveBody(chunk: Buffer): void {
    this.#current?.receiveBody(chunk);
  }

  receiveEnd(trailers: HeaderFields | undefined): void {
    this.#current?.receiveEnd(trailers);
  }

  refuse(refusal: Refusal): void {
    this.refusedCount++;
    this.#options.onRefused?.(refusal.code, refusal.detail);
    const error = new MeshError(refusal.code, refusal.detail);
    const current = this.#current;
    current?.abandon(error);
    if (current?.answered === true) this.cut();
    else this.answerError(error);
  }

  answerError(error: MeshError, bodyless = false): void {
    this.#current = undefined;
    const { http, says } = errorCodes[error.code];
    const body = Buffer.from(`${says} ${error.message}\n`);
    const headers = new HeaderFields(["tulle-error", error.code, "content-type", "text/plain"]);
    headers.append("content-length", String(body.length));
    headers.append("date", new Date().toUTCString());
    writeResponseHead(this.outbox, { status: http, headers, bodyless }, "length", "close");
    if (!bodyless) this.outbox.append(body);
    this.linger();
  }

  pauseRequest(paused: boolean): void {
    this.#requestPaused = paused;
    if (this.#phase !== "open") return;
    this.#updateReading();
    if (!paused) this.#patience?.beginAnew();
  }

  endTunnel(): void {
    this.outbox.flush();
    this.#socket.end();
  }

  finish(close: boolean): void {
    this.#current = undefined;
    if (this.#phase !== "open") return;
    if (close || this.#parser.phase !== "complete") return this.linger();
    this.#requestPaused = false;
    if (this.outbox.congested) {
      this.#nextWaits = true;
      return;
    }
    this.#parser.next();
    this.#patience?.waitFor("request");
    this.releaseHeld();
    if (this.#phase === "open") this.#updateReading();
  }

  cut(): void {
    // A clean end would complete a response that is delimited by it. A TLS socket can't reset, but sends no close_notify either.
    if (this.#socket instanceof tls.TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
    this.#closed();
  }

  #drained(): void {
    if (!this.#nextWaits) {
      this.#current?.drained();
      return;
    }
    this.#nextWaits = false;
    if (this.#phase === "open") this.finish(this.departure === "draining");
  }

  #receiveFin(): void {
    if (this.#phase !== "open" || this.#current?.receiveFin() === true) return;
    if (this.#current === undefined && !this.insideHead) return this.linger();
    this.destroy();
  }

  /** Writes the last byte, and waits for the client to close. */
  linger(): void {
    if (this.#phase !== "open") return;
    this.#phase = "lingering";
    this.#parser.stop();
    this.#held = [];
    this.heldBytes = 0;
    this.outbox.flush();
    this.#patience?.waitFor("progress");
    // Two limits: first for the client to read what is left, then for it to close.
    this.#socket.end(() => {
      if (this.#phase === "lingering") this.#patience?.waitFor("progress");
    });
    this.#socket.resume();
  }

  #closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#parser.stop();
    this.#held = [];
    this.heldBytes = 0;
    this.#patience?.stop();
    const current = this.#current;
    this.#current = undefined;
    this.client.close();
    current?.abandon(new MeshError("upstream_closed", "the client closed its connection"));
  }
}
