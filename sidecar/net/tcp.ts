/**
 * Opaque bytes as exchanges: a raw connection is a CONNECT whose request body is the bytes in one direction and whose
 * response body is the bytes in the other. A half-close is passed on; a broken end resets the other.
 */

import type net from "node:net";
import { MeshError } from "../../model/errors.ts";
import { connectFailureCode } from "./connect-failure.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "./exchange.ts";
import { HeaderFields } from "./header-fields.ts";
import { keepAliveAfterMs } from "./keep-alive.ts";
import type { ServedConnection } from "./listener.ts";
import { UnreadWatch } from "./lost-peer.ts";
import { Outbox } from "./outbox.ts";
import { RefusedTunnel } from "./refused-tunnel.ts";
import { receiveFrom } from "./shared-reads.ts";
import type { TimerWheel } from "./timer-wheel.ts";

/** Presents an accepted connection as a CONNECT to `authority`. `received`: bytes already read from it. */
export function serveTcp(
  socket: net.Socket,
  authority: string,
  service: Service,
  wheel: TimerWheel,
  received?: Buffer,
): ServedConnection {
  const exchange = new Exchange({
    method: "CONNECT",
    authority,
    path: "",
    scheme: "http",
    headers: new HeaderFields(),
    bodyless: false,
  });
  const end = new AcceptedEnd(socket, wheel);
  end.attach(service(exchange, end));
  if (received !== undefined && received.length > 0) end.feed(received);
  if (socket.readableEnded) end.receiveFin();
  return { drain() {} }; // raw bytes have no end to wait for: the application's own close is that
}

/** Opens a connection for a CONNECT; the tunnel is open once the connection is. */
export function dialTcp(connect: () => net.Socket): Service {
  return (exchange, response) => new DialledEnd(connect(), exchange, response);
}

/** One socket of a tunnel: reads with backpressure, writes once per tick, and reports each of its ends once. */
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
    // Detects a peer that vanished without a word, however long the tunnel may be silent.
    socket.setKeepAlive(true, keepAliveAfterMs);
    receiveFrom(socket, (chunk) => this.feed(chunk));
    socket.on("end", () => this.receiveFin());
    socket.on("error", () => {}); // reported by "close"
    socket.on("close", () => this.#closed());
  }

  feed(chunk: Buffer): void {
    if (!this.over && !this.passOn(chunk)) this.socket.pause();
  }

  /** The peer has sent everything. */
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
    // An unconnected socket has nobody to reset, and `resetAndDestroy` would wait for the connection.
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

class AcceptedEnd extends TunnelEnd implements ResponseSink {
  readonly #wheel: TimerWheel;
  readonly #watch: UnreadWatch;
  #request: RequestSink | undefined;
  /** Takes the rest of a response that is not a tunnel. */
  #refusal: RefusedTunnel | undefined;

  constructor(socket: net.Socket, wheel: TimerWheel) {
    super(socket);
    this.#wheel = wheel;
    this.#watch = new UnreadWatch(socket, wheel);
    socket.pause();
  }

  attach(request: RequestSink): void {
    this.#request = request;
    if (!this.over) this.socket.resume();
    else if (this.#refusal?.isOpen !== true) this.#abort();
  }

  informational(): void {}

  head(head: ResponseHead): void {
    if (head.status >= 200 && head.status <= 299) return;
    this.#refusal = new RefusedTunnel(this.#wheel, () => this.#abort());
    this.cut();
  }

  writeResponse(chunk: Buffer): boolean {
    if (this.#refusal === undefined) return this.write(chunk);
    this.#refusal.write(chunk);
    return true;
  }

  endResponse(): void {
    if (this.#refusal !== undefined) this.#refusal.end();
    else if (!this.over) this.finish();
  }

  abortResponse(): void {
    this.#refusal?.abort();
    this.cut();
  }

  resumeRequest(): void {
    this.socket.resume();
  }

  protected passOn(chunk: Buffer): boolean {
    const goesOn = this.#request?.writeRequest(chunk) ?? true;
    if (!goesOn) this.#watch.begin();
    return goesOn;
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

  /** Aborts once, as soon as there is somebody to tell. */
  #abort(): void {
    const request = this.#request;
    this.#request = undefined;
    request?.abortRequest(noTunnel);
  }
}

/** `connecting ──▶ connected`, or `late` if it took too long. */
class DialledEnd extends TunnelEnd implements RequestSink {
  readonly #response: ResponseSink;
  #state: "connecting" | "connected" | "late" = "connecting";

  constructor(socket: net.Socket, exchange: Exchange, response: ResponseSink) {
    super(socket);
    this.#response = response;
    socket.once("connect", () => this.#open());
    if (!Number.isFinite(exchange.connectTimeoutMs)) return;
    socket.setTimeout(exchange.connectTimeoutMs);
    // After the sockets' turn: it may be connected without anybody having looked yet.
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
