/**
 * Opaque bytes as exchanges: a raw connection is a CONNECT whose body is the bytes one way and whose answer is the bytes
 * the other way. Half close travels; a broken end resets the other.
 */

import type net from "node:net";
import { MeshError } from "../../model/errors.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "./exchange.ts";
import { HeaderFields } from "./header-fields.ts";
import type { ServedConnection } from "./listener.ts";
import { Outbox } from "./outbox.ts";

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
  if (socket.readableEnded) end.ended();
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
    this.outbox = new Outbox(socket, () => this.drained());
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.feed(chunk));
    socket.on("end", () => !this.over && this.ended());
    socket.on("error", () => {}); // told by "close"
    socket.on("close", () => this.#closed());
  }

  feed(chunk: Buffer): void {
    if (!this.over && !this.passOn(chunk)) this.socket.pause();
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
    this.socket.resetAndDestroy();
  }

  protected abstract passOn(chunk: Buffer): boolean;
  /** The other side of the socket has sent all. */
  abstract ended(): void;
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

class AcceptedEnd extends TunnelEnd implements ResponseSink {
  #request: RequestSink | undefined;

  constructor(socket: net.Socket) {
    super(socket);
    socket.pause();
  }

  attach(request: RequestSink): void {
    this.#request = request;
    if (!this.over) this.socket.resume();
  }

  informational(): void {}

  head(head: ResponseHead): void {
    if (head.status < 200 || head.status > 299) this.cut();
  }

  writeResponse(chunk: Buffer): boolean {
    return this.write(chunk);
  }

  endResponse(): void {
    if (!this.over) this.finish();
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

  ended(): void {
    this.#request?.endRequest();
  }

  protected broken(error: MeshError): void {
    this.#request?.abortRequest(error);
  }

  protected drained(): void {
    this.#request?.resumeResponse();
  }
}

class DialledEnd extends TunnelEnd implements RequestSink {
  readonly #response: ResponseSink;
  #connected = false;

  constructor(socket: net.Socket, exchange: Exchange, response: ResponseSink) {
    super(socket);
    this.#response = response;
    socket.once("connect", () => {
      this.#connected = true;
      response.head({ status: 200, headers: new HeaderFields(), bodyless: false });
    });
    if (Number.isFinite(exchange.connectTimeoutMs)) {
      socket.setTimeout(exchange.connectTimeoutMs, () => {
        if (!this.#connected) socket.destroy();
        else socket.setTimeout(0);
      });
    }
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

  ended(): void {
    this.#response.endResponse();
  }

  protected broken(error: MeshError): void {
    if (this.#connected) return this.#response.abortResponse(error);
    const refused = new MeshError("connect_failed", describe(error), { cause: error.cause, processed: "unprocessed" });
    this.#response.abortResponse(refused);
  }

  protected drained(): void {
    this.#response.resumeRequest();
  }
}

function describe({ cause }: MeshError): string {
  return cause instanceof Error ? cause.message : "no connection in time";
}
