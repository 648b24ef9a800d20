/**
 * Opaque bytes as exchanges: a raw connection is a CONNECT whose body is the bytes one way and whose answer is the bytes
 * the other way. Half close travels; a broken end resets the other.
 */

import type net from "node:net";
import { MeshError } from "../../model/errors.ts";
import { connectFailureCode } from "./connect-failure.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "./exchange.ts";
import { HeaderFields } from "./header-fields.ts";
import { keepAliveAfterMs } from "./keep-alive.ts";
import type { ServedConnection } from "./listener.ts";
import { Outbox } from "./outbox.ts";
import { receiveFrom } from "./shared-reads.ts";

/** Presents an accepted connection as a CONNECT to `authority`. `received` are bytes that were read before. */
export function serveTcp(socket: net.Socket, authority: string, service: Service, received?: Buffer): ServedConnection {
  const exchange = new Exchange({
    method: "CONNECT",
    authority,
    path: "",
    scheme: "http",
    headers: new HeaderFields(),
    bodyless: false,
  });
  const end = new AcceptedEnd(socket);
  end.attach(service(exchange, end));
  if (received !== undefined && received.length > 0) end.feed(received);
  if (socket.readableEnded) end.receiveFin();
  return { drain() {} }; // bytes have no end that could be waited for: the application's own close is
}

/** Makes a connection for a CONNECT; the tunnel is open when the connection is. */
export function dialTcp(connect: () => net.Socket): Service {
  return (exchange, response) => new DialledEnd(connect(), exchange, response);
}

/** One socket of a tunnel: reads with backpressure, writes once per tick, and reports each end of life once. */
abstract class TunnelEnd {
  protected readonly socket: net.Socket;
  protected readonly outbox: Outbox;
  protected over = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.outbox = new Outbox(socket, () => {
      if (!this.over) this.drained();
    });
    socket.setNoDelay(true);
    // A peer that vanished without a word is found out, however long the tunnel may be silent.
    socket.setKeepAlive(true, keepAliveAfterMs);
    receiveFrom(socket, (chunk) => this.feed(chunk));
    socket.on("end", () => this.receiveFin());
    socket.on("error", () => {}); // told by "close"
    socket.on("close", () => this.#closed());
  }

  feed(chunk: Buffer): void {
    if (!this.over && !this.passOn(chunk)) this.socket.pause();
  }

  /** The other side of the socket has sent all. */
  receiveFin(): void {
    if (!this.over) this.passEnd();
  }

  protected write(chunk: Buffer): boolean {
    if (this.over) return true;
    this.outbox.append(chunk);
    return !this.outbox.congested;
  }

  protected finish(): void {
    this.outbox.flush();
    this.socket.end();
  }

  protected cut(): void {
    this.over = true;
    // What is not connected yet has nobody to reset, and `resetAndDestroy` would wait for the connection.
    if (this.socket.connecting) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  protected abstract passOn(chunk: Buffer): boolean;
  protected abstract passEnd(): void;
  protected abstract broken(error: MeshError): void;
  protected abstract drained(): void;

  #closed(): void {
    if (this.over) return;
    this.over = true;
    const { errored } = this.socket;
    if (errored !== null || !this.socket.readableEnded || !this.socket.writableFinished) {
      this.broken(new MeshError("upstream_closed", "the connection broke", { cause: errored }));
    }
  }
}

/** Of an answer that refuses a tunnel: nobody is there to read it, but how it ends says why. */
export const mostRefusalBytes = 64 * 1024;

class AcceptedEnd extends TunnelEnd implements ResponseSink {
  #request: RequestSink | undefined;
  /** An answer that refuses the tunnel has begun, and its end is still to come. */
  #isRefusing = false;
  #refusalBytes = 0;

  constructor(socket: net.Socket) {
    super(socket);
    socket.pause();
  }

  attach(request: RequestSink): void {
    this.#request = request;
    if (!this.over) this.socket.resume();
    else if (!this.#isRefusing) this.#abort();
  }

  informational(): void {}

  head(head: ResponseHead): void {
    if (head.status >= 200 && head.status <= 299) return;
    this.#isRefusing = true;
    this.cut();
  }

  writeResponse(chunk: Buffer): boolean {
    if (!this.#isRefusing) return this.write(chunk);
    this.#refusalBytes += chunk.length;
    if (this.#refusalBytes > mostRefusalBytes) this.#abort();
    return true;
  }

  endResponse(): void {
    if (this.#isRefusing) this.#abort();
    else if (!this.over) this.finish();
  }

  abortResponse(): void {
    this.cut();
  }

  resumeRequest(): void {
    this.socket.resume();
  }

  protected passOn(chunk: Buffer): boolean {
    return this.#request?.writeRequest(chunk) ?? true;
  }

  protected passEnd(): void {
    this.#request?.endRequest();
  }

  protected broken(error: MeshError): void {
    this.#request?.abortRequest(error);
  }

  protected drained(): void {
    this.#request?.resumeResponse();
  }

  /** Once. */
  #abort(): void {
    const request = this.#request;
    this.#request = undefined;
    this.#isRefusing = false;
    request?.abortRequest(noTunnel);
  }
}

/** `connecting ──▶ connected`, or `late` when the time for it is over. */
class DialledEnd extends TunnelEnd implements RequestSink {
  readonly #response: ResponseSink;
  #state: "connecting" | "connected" | "late" = "connecting";

  constructor(socket: net.Socket, exchange: Exchange, response: ResponseSink) {
    super(socket);
    this.#response = response;
    socket.once("connect", () => this.#open());
    if (!Number.isFinite(exchange.connectTimeoutMs)) return;
    socket.setTimeout(exchange.connectTimeoutMs);
    // After the sockets' turn: it may be connected, and nobody have looked yet.
    socket.once("timeout", () => setImmediate(() => this.#giveUp()));
  }

  writeRequest(chunk: Buffer): boolean {
    return this.write(chunk);
  }

  endRequest(): void {
    if (!this.over) this.finish();
  }

  abortRequest(): void {
    this.cut();
  }

  resumeResponse(): void {
    this.socket.resume();
  }

  protected passOn(chunk: Buffer): boolean {
    return this.#response.writeResponse(chunk);
  }

  protected passEnd(): void {
    this.#response.endResponse();
  }

  protected broken(error: MeshError): void {
    if (this.#state === "connected") return this.#response.abortResponse(error);
    const { cause } = error;
    const code = this.#state === "late" ? "connect_timeout" : connectFailureCode(cause);
    const why = cause instanceof Error ? cause.message : "no connection";
    this.#response.abortResponse(new MeshError(code, why, { cause, processed: "unprocessed" }));
  }

  #giveUp(): void {
    if (this.#state !== "connecting") return;
    this.#state = "late";
    this.socket.destroy();
  }

  #open(): void {
    this.socket.setTimeout(0);
    this.socket.removeAllListeners("timeout");
    if (this.over) return;
    this.#state = "connected";
    this.#response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
  }

  protected drained(): void {
    this.#response.resumeRequest();
  }
}

const noTunnel = new MeshError("upstream_closed", "the tunnel was refused");
