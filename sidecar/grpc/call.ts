/**
 * One gRPC call on a connection of its own, usually TLS, over this sidecar's HTTP/2
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). It retries nothing, and knows no message types.
 *
 * The sidecar makes three calls in all, so it needs no channels, resolvers or balancers. Without a library that has them it
 * starts sooner and is smaller.
 *
 * ```
 *   dialling ──TLS, server checked──▶ open ──status──▶ over
 *       └──────────── unreachable, refused, cancelled ───▲
 * ```
 */

import net from "node:net";
import tls from "node:tls";
import { splitAddress } from "../../model/address.ts";
import type { Clock } from "../../model/clock.ts";
import type { MeshError } from "../../model/errors.ts";
import { framed, MessageReader } from "../../proto/message-reader.ts";
import { Http2Client } from "../http2/client.ts";
import type { KeepAliveOptions } from "../http2/keep-alive.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { GrpcError, grpcCodes } from "./status.ts";

export interface GrpcCallOptions {
  /** `host:port` */
  readonly address: string;
  /** For `:authority`, and for TLS's server name if the certificate must be valid for it. */
  readonly serverName: string;
  /** `/package.Service/Method` */
  readonly path: string;
  /** Absent: in the clear. */
  readonly secureContext?: tls.SecureContext;
  /**
   * Returns undefined if the certificate, in DER, is the intended server's. Nothing is sent to any other server. Absent: it must
   * be valid for `serverName`.
   */
  readonly wrongServer?: (certificateDer: Buffer) => Error | undefined;
  /** Names in lower case. */
  readonly metadata?: readonly (readonly [name: string, value: string])[];
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** The largest message accepted from the server. */
  readonly maxMessageBytes: number;
  /** The limit for the whole call. Absent: none. */
  readonly timeoutMs?: number;
  /** Detects a server that hangs; the kernel detects one that has vanished, sooner. Absent: neither is detected. */
  readonly keepAlive?: KeepAliveOptions;
}

/**
 * After this much silence the kernel probes once a second; after ten probes without an answer the connection breaks. It wakes
 * nobody up.
 */
const vanishedAfterMs = 30_000;

export interface GrpcCallEvents {
  /** The server has begun to answer. */
  readonly opened?: () => void;
  readonly message: (message: Buffer) => void;
  /** Called once, and nothing after it; not after `cancel`. Undefined: OK. */
  readonly closed: (error: GrpcError | undefined) => void;
}

export class GrpcCall {
  readonly #options: GrpcCallOptions;
  readonly #events: GrpcCallEvents;
  readonly #socket: net.Socket;
  readonly #reader: MessageReader;
  readonly #deadline: NodeJS.Timeout | undefined;
  #client: Http2Client | undefined;
  #request: RequestSink | undefined;
  /** Messages sent while dialling. */
  #waiting: Buffer[] = [];
  #ended = false;
  #over = false;

  /** Dials at once; events come later, never during this call. */
  constructor(options: GrpcCallOptions, events: GrpcCallEvents) {
    const { secureContext, maxMessageBytes, timeoutMs } = options;
    this.#options = options;
    this.#events = events;
    this.#reader = new MessageReader(maxMessageBytes, (message) => {
      if (!this.#over) events.message(message);
    });
    this.#socket = secureContext === undefined ? this.#dialPlain() : this.#dialTls(secureContext);
    this.#socket.on("error", (error: Error) => this.#fail(grpcCodes.UNAVAILABLE, error.message, error));
    this.#socket.on("close", () => this.#fail(grpcCodes.UNAVAILABLE, "the connection was closed"));
    if (timeoutMs === undefined) return;
    this.#deadline = setTimeout(
      () => this.#fail(grpcCodes.DEADLINE_EXCEEDED, `no end within ${timeoutMs} ms`),
      timeoutMs,
    );
  }

  /** Waits for the connection to open; dropped once the call is over. */
  send(message: Buffer): void {
    if (this.#over) return;
    if (this.#request === undefined) this.#waiting.push(framed(message));
    // A writer that can't be stopped: what the peer does not take yet is kept, until it takes nothing for too long.
    else this.#request.writeRequest(framed(message));
  }

  /** Nothing more will be sent. */
  end(): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#request?.endRequest();
  }

  /** Ends the call without an event. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    clearTimeout(this.#deadline);
    this.#client?.destroy();
    this.#socket.destroy();
  }

  #dialPlain(): net.Socket {
    const { host, port = 0 } = splitAddress(this.#options.address);
    return net.connect({ host, port, noDelay: true }, () => this.#open());
  }

  #dialTls(secureContext: tls.SecureContext): net.Socket {
    const { address, serverName, wrongServer } = this.#options;
    const { host, port = 0 } = splitAddress(address);
    const socket = tls.connect({
      host,
      port,
      // It must not be an address (RFC 6066 §3), and means nothing to a server that is known by another name.
      servername: wrongServer === undefined && net.isIP(serverName) === 0 ? serverName : "",
      secureContext,
      ALPNProtocols: ["h2"],
      checkServerIdentity: (_host, certificate) =>
        wrongServer === undefined ? tls.checkServerIdentity(serverName, certificate) : wrongServer(certificate.raw),
    });
    socket.on("secureConnect", () => {
      if (socket.alpnProtocol === "h2") this.#open();
      else this.#fail(grpcCodes.UNAVAILABLE, "the server does not speak HTTP/2");
    });
    return socket;
  }

  #open(): void {
    if (this.#over) return;
    const { clock, wheel, keepAlive, path, serverName, secureContext, metadata = [], timeoutMs } = this.#options;
    if (keepAlive !== undefined) this.#socket.setKeepAlive(true, vanishedAfterMs);
    const bounds = { losesStalled: true, ...(keepAlive && { keepAlive }) };
    this.#client = new Http2Client(this.#socket, { clock, timers: wheel, ...bounds });
    const headers = new HeaderFields(["te", "trailers", "content-type", "application/grpc"]);
    if (timeoutMs !== undefined) headers.append("grpc-timeout", `${Math.ceil(timeoutMs)}m`);
    for (const [name, value] of metadata) headers.append(name, value);
    const exchange = new Exchange({
      method: "POST",
      authority: serverName,
      path,
      scheme: secureContext === undefined ? "http" : "https",
      headers,
      bodyless: false,
    });
    this.#request = this.#client.request(exchange, new Answer(this.#reader, this.#events, this.#finish));
    for (const message of this.#waiting.splice(0)) this.#request.writeRequest(message);
    if (this.#ended) this.#request.endRequest();
  }

  #fail(code: number, reason: string, cause?: Error): void {
    this.#finish(new GrpcError(code, reason, { cause }));
  }

  #finish = (error: GrpcError | undefined): void => {
    if (this.#over) return;
    this.cancel();
    this.#events.closed(error);
  };
}

/** What the server sends: a head, messages, and the status in its trailers, or in the head if it sends nothing else. */
class Answer implements ResponseSink {
  readonly #reader: MessageReader;
  readonly #events: GrpcCallEvents;
  readonly #finish: (error: GrpcError | undefined) => void;
  #status: HeaderFields | undefined;

  constructor(reader: MessageReader, events: GrpcCallEvents, finish: (error: GrpcError | undefined) => void) {
    this.#reader = reader;
    this.#events = events;
    this.#finish = finish;
  }

  informational(): void {}

  head({ status, headers }: ResponseHead): void {
    if (headers.has("grpc-status")) {
      this.#status = headers;
    } else if (status !== 200 || !(headers.get("content-type") ?? "").startsWith("application/grpc")) {
      this.#finish(new GrpcError(grpcCodes.UNAVAILABLE, `no gRPC, but an answer with status ${status}`));
    } else {
      this.#events.opened?.();
    }
  }

  writeResponse(chunk: Buffer): boolean {
    const wrong = this.#reader.read(chunk);
    if (wrong !== undefined) this.#finish(new GrpcError(grpcCodes.INTERNAL, wrong.says));
    return true;
  }

  endResponse(trailers?: HeaderFields): void {
    const status = trailers?.has("grpc-status") ? trailers : this.#status;
    const code = Number(status?.get("grpc-status") ?? grpcCodes.UNKNOWN);
    if (code !== grpcCodes.OK) return this.#finish(new GrpcError(code, messageOf(status)));
    const isCut = this.#reader.isMidMessage;
    this.#finish(isCut ? new GrpcError(grpcCodes.INTERNAL, "the last message was cut short") : undefined);
  }

  abortResponse(error: MeshError): void {
    this.#finish(new GrpcError(grpcCodes.UNAVAILABLE, error.message, { cause: error }));
  }

  resumeRequest(): void {}
}

/** The message is percent-encoded UTF-8; if a server gets that wrong, the rest is not lost. */
function messageOf(status: HeaderFields | undefined): string {
  const message = status?.get("grpc-message") ?? "no reason was given";
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
