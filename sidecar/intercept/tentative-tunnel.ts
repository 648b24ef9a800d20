/**
 * A connection whose client is silent: the far side is dialled as opaque, because its server may be the one to speak first.
 * As long as neither has sent a byte, nothing is settled.
 *
 * ```
 *   silent ── a byte from the far side, or one that is no HTTP from the client ──▶ opaque, for good
 *     │ ────── the client speaks HTTP ──▶ the tunnel is dropped, unused
 *     ├─ no tunnels there (501) ──▶ untunnelled: the client may still speak HTTP, and nothing else
 *     └─────── refused, or the client is gone ──▶ closed
 * ```
 */

import type net from "node:net";
import { MeshError } from "../../model/errors.ts";
import { type Detected, protocolOf } from "../net/detect.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { HeldRequest } from "../net/held-request.ts";
import { nowhere } from "../net/pass-through.ts";
import { RefusedTunnel } from "../net/refused-tunnel.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";

/** How long the beginning of a greeting may be ambiguous; then it is passed to the far side as it is. */
const beginningMs = 300;
/** How a port declared as HTTP answers a CONNECT: see `mesh-link/target.ts`. */
const noTunnels = 501;

export interface TentativeOptions {
  readonly socket: net.Socket;
  /** The dialled address. */
  readonly authority: string;
  readonly service: Service;
  readonly wheel: TimerWheel;
  /** Takes over the connection, paused, with what was read from it. If it is `opaque`, `tunnel` is the service to use. */
  readonly settled: (protocol: Detected, received: Buffer, tunnel: Service) => void;
}

export function openTentatively(options: TentativeOptions, received: Buffer): void {
  new TentativeTunnel(options).open(received);
}

class TentativeTunnel extends Timer implements ResponseSink {
  readonly #options: TentativeOptions;
  #request: RequestSink = nowhere;
  #received: Buffer = Buffer.alloc(0);
  #head: ResponseHead | undefined;
  /** Gets the response, once it is settled that this is a tunnel. */
  #above: ResponseSink | undefined;
  #state: "silent" | "untunnelled" | "settled" = "silent";
  /** Takes the rest of a response that refuses the tunnel. */
  #refusal: RefusedTunnel | undefined;

  constructor(options: TentativeOptions) {
    super();
    this.#options = options;
  }

  open(received: Buffer): void {
    const { socket, authority, service } = this.#options;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    socket.on("error", ignore);
    const headers = new HeaderFields();
    const exchange = new Exchange({ method: "CONNECT", authority, path: "", scheme: "http", headers, bodyless: false });
    // Held, because the service may answer before it returns.
    const request = new HeldRequest(exchange, this);
    this.#request = request;
    request.release(service);
    if (this.#state === "settled") return;
    // A beginning that is still ambiguous is now taken for opaque.
    if (received.length > 0) return this.#settle("opaque", received);
    socket.resume();
  }

  /** The client began to send something, and stopped. */
  expire(): void {
    this.#settle("opaque", this.#received);
  }

  informational(): void {}

  head(head: ResponseHead): void {
    if (this.#above !== undefined) return this.#above.head(head);
    if (this.#state !== "silent") return;
    if (head.status >= 200 && head.status <= 299) {
      this.#head = head;
      return;
    }
    const refused = new MeshError("upstream_closed", "the tunnel was refused");
    this.#refusal = new RefusedTunnel(this.#options.wheel, () => this.#request.abortRequest(refused));
    if (head.status === noTunnels) this.#state = "untunnelled";
    else this.#refused();
  }

  writeResponse(chunk: Buffer): boolean {
    if (this.#state === "silent") this.#settle("opaque", this.#received);
    if (this.#above !== undefined) return this.#above.writeResponse(chunk);
    this.#refusal?.write(chunk);
    return true;
  }

  endResponse(): void {
    if (this.#state === "silent") this.#settle("opaque", this.#received);
    this.#above?.endResponse();
    this.#refusal?.end();
  }

  abortResponse(error: MeshError): void {
    this.#refusal?.abort();
    if (this.#above !== undefined) this.#above.abortResponse(error);
    else if (this.#state === "silent") this.#refused();
  }

  resumeRequest(): void {
    this.#above?.resumeRequest();
  }

  #onData = (chunk: Buffer): void => {
    const isFirst = this.#received.length === 0;
    this.#received = isFirst ? Buffer.from(chunk) : Buffer.concat([this.#received, chunk]);
    const protocol = protocolOf(this.#received);
    if (protocol !== undefined) this.#settle(protocol, this.#received);
    else if (isFirst) this.#options.wheel.arm(this, beginningMs);
  };

  #onEnd = (): void => this.#settle("opaque", this.#received);

  #onClose = (): void => {
    this.#letGo();
    this.#giveUp("the client closed its connection");
  };

  #settle(protocol: Detected, received: Buffer): void {
    if (this.#state === "settled") return;
    const isTunnel = protocol === "opaque" || protocol === "tls";
    if (isTunnel && this.#state === "untunnelled") return this.#refused();
    this.#options.socket.pause();
    this.#letGo();
    if (!isTunnel) this.#giveUp("the client speaks HTTP after all");
    this.#options.settled(protocol, received, isTunnel ? this.#tunnel : this.#options.service);
  }

  /** The service that joins the open tunnel instead of opening a new one. */
  readonly #tunnel: Service = (_exchange, response) => {
    this.#above = response;
    if (this.#head !== undefined) response.head(this.#head);
    return this.#request;
  };

  /** A tunnel that was refused ends on its own. */
  #giveUp(why: string): void {
    if (this.#refusal === undefined) this.#request.abortRequest(new MeshError("upstream_closed", why));
  }

  #refused(): void {
    this.#letGo();
    this.#options.socket.on("error", ignore);
    this.#options.socket.resetAndDestroy();
  }

  #letGo(): void {
    this.#state = "settled";
    const { socket, wheel } = this.#options;
    wheel.clear(this);
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.off("error", ignore);
  }
}

function ignore(): void {}
