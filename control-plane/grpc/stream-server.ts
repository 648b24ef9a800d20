/**
 * A port for gRPC calls over TLS, directly on node:http2. For a thousand sidecars that each get a message and answer it, a
 * gRPC library costs about as much again as node:http2 itself.
 *
 * It detects peers that have vanished silently. The kernel finds those whose machine is gone (`ConnectionGate`). For those that
 * hang: sidecars send PINGs of their own, which prove that they are alive, and one check of all connections every few seconds
 * finds the silent ones.
 *
 * Clients may be hostile, with a certificate or before they have shown one. Their number is limited (`ConnectionGate`), and so
 * is what is stored of their messages (`ReadingBudget`); those that cause work without asking for anything are disconnected.
 */

import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import type { Clock } from "../../model/clock.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import { ConnectionGate, defaultGateLimits, type GateEvents, type GateLimits } from "../../system/connection-gate.ts";
import { contextOptions, type ServerCertificate } from "../identity/server-certificate.ts";
import { ReadingBudget } from "./reading-budget.ts";
import type { Refusal } from "./refusal.ts";
import { ServerCall } from "./server-call.ts";

export interface StreamServerOptions {
  /** Who answers, by the method's path: `/tulle.v1.Discovery/Stream`. */
  readonly methods: ReadonlyMap<string, (call: ServerCall) => void>;
  readonly certificate: ServerCertificate;
  /** If a certificate is required, a client without one gets no connection; otherwise clients are not asked for one. */
  readonly clients: "certificate-required" | "anonymous";
  /** The limit for one message from a client. */
  readonly maxMessageBytes: number;
  readonly maxCallsPerConnection: number;
  /** Calls last for minutes: a client that begins many counts as one whose frames ask for nothing. Default false. */
  readonly callsLast?: boolean;
  readonly limits?: Partial<StreamServerLimits>;
  readonly clock: Clock;
  readonly timing?: Partial<StreamServerTiming>;
  /** Calls periodically, until the returned function is called. Default: by a timer. */
  readonly every?: (periodMs: number, call: () => void) => () => void;
  readonly events?: StreamServerEvents;
}

export interface StreamServerLimits extends GateLimits {
  /** The limit for the incomplete messages of all calls. */
  readonly maxReadingBytes: number;
}

export interface StreamServerEvents extends Pick<GateEvents, "opened" | "closed"> {
  /** Called once for each connection or call that was refused, or was ended because of what its client did. */
  readonly refused: (why: Refusal) => void;
}

export interface StreamServerTiming {
  /** The time for the TLS handshake, from the first byte to the last. */
  readonly handshakeMs: number;
  /** The time between two checks of all connections. */
  readonly lookMs: number;
  /** After this long without a byte, a PING asks the connection for a sign of life. */
  readonly askMs: number;
  /** After this long without a byte, including the time since the PING, the connection is ended. */
  readonly deadMs: number;
  /** After this long without a call, the connection is ended. */
  readonly idleMs: number;
}

const defaultLimits: StreamServerLimits = { ...defaultGateLimits, maxReadingBytes: 64 * 1024 * 1024 };
/** Sidecars send a PING every 90 s, and are seen to do so up to a quarter late, so a live one is hardly ever asked. */
const defaultTiming: StreamServerTiming = {
  handshakeMs: 10_000,
  lookMs: 5_000,
  askMs: 120_000,
  deadMs: 130_000,
  idleMs: 50_000,
};
/** How many PINGs, SETTINGS, reset or refused calls, and calls that should last, a client may send. A well-behaved client sends a few per minute. */
const patience = { requests: 10, perMs: 1_000, burst: 200 };
const unheard: StreamServerEvents = { opened: () => {}, closed: () => {}, refused: () => {} };

interface Connection {
  bytesRead: number;
  heardAtMs: number;
  /** When a sign of life was asked for that has not come yet; undefined: not asked. */
  askedAtMs: number | undefined;
  calls: number;
  /** Since when the connection has had no call. */
  idleSinceMs: number;
  readonly patience: TokenBucket;
}

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #events: StreamServerEvents;
  readonly #timing: StreamServerTiming;
  readonly #server: Http2SecureServer;
  readonly #gate: ConnectionGate;
  readonly #budget: ReadingBudget;
  readonly #connections = new Map<ServerHttp2Session, Connection>();
  #stopLooking: () => void = () => {};

  constructor(options: StreamServerOptions) {
    const { certificate, clients, maxCallsPerConnection, events = unheard } = options;
    this.#options = options;
    this.#events = events;
    this.#timing = { ...defaultTiming, ...options.timing };
    const limits = { ...defaultLimits, ...options.limits };
    this.#gate = new ConnectionGate(limits, events);
    this.#budget = new ReadingBudget(limits.maxReadingBytes);
    const required = clients === "certificate-required";
    this.#server = createSecureServer({
      ...contextOptions(certificate),
      requestCert: required,
      rejectUnauthorized: required,
      handshakeTimeout: this.#timing.handshakeMs,
      settings: { maxConcurrentStreams: maxCallsPerConnection },
    });
    this.#server.on("connection", (socket: Socket) => this.#gate.enter(socket));
    this.#server.on("tlsClientError", (_error, socket: TLSSocket) => void socket.destroy());
    this.#server.on("sessionError", (error: Error & { readonly code?: string }) => {
      // A connection that breaks at a lower layer is not its client's fault.
      if (error.code?.startsWith("ERR_HTTP2_")) events.refused("protocol");
    });
    this.#server.on("unknownProtocol", (socket: TLSSocket) => {
      events.refused("not_http2");
      this.#gate.settle(socket);
      socket.destroy();
    });
    this.#server.on("session", (session) => this.#take(session));
    this.#server.on("stream", (stream, headers) => this.#answer(stream, headers));
  }

  /** For new connections; open ones keep the previous certificate. */
  rotate(certificate: ServerCertificate): void {
    this.#server.setSecureContext(contextOptions(certificate));
  }

  /** Resolves to the port; rejects with a one-line error if it can't be opened. */
  listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#server.once("error", (error: Error) => reject(new Error(`can't listen: ${error.message}`)));
    this.#server.listen(port, host, () => {
      const { every = everyTurn } = this.#options;
      this.#stopLooking = every(this.#timing.lookMs, () => this.#look());
      resolve((this.#server.address() as AddressInfo).port);
    });
    return promise;
  }

  /** Lets calls finish for `graceMs`, then breaks their connections. */
  async close(graceMs: number): Promise<void> {
    this.#stopLooking();
    const { promise, resolve } = Promise.withResolvers<void>();
    const force = setTimeout(() => this.#gate.destroy(), graceMs);
    this.#server.close(() => resolve());
    for (const session of this.#connections.keys()) session.close();
    await promise;
    clearTimeout(force);
  }

  #take(session: ServerHttp2Session): void {
    const { clock } = this.#options;
    const nowMs = clock.now();
    const connection: Connection = {
      bytesRead: 0,
      heardAtMs: nowMs,
      askedAtMs: undefined,
      calls: 0,
      idleSinceMs: nowMs,
      patience: new TokenBucket(patience, clock),
    };
    this.#gate.settle(session.socket);
    this.#connections.set(session, connection);
    session.once("close", () => this.#connections.delete(session));
    session.on("ping", () => this.#bear(session, connection));
    session.on("remoteSettings", () => this.#bear(session, connection));
  }

  /** Counts frames that make work and ask for nothing: a few are fine. */
  #bear(session: ServerHttp2Session, { patience }: Connection): void {
    if (session.destroyed || patience.tryTake()) return;
    this.#events.refused("flood");
    session.destroy(new Error("frames that ask for nothing"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { methods, maxMessageBytes, callsLast = false, clock } = this.#options;
    const session = stream.session as ServerHttp2Session | undefined;
    const connection = session && this.#connections.get(session);
    // The connection is gone, and its last call with it; what ended it may still be reported here.
    if (session === undefined || connection === undefined) return stream.on("error", () => {}).close();
    connection.calls++;
    stream.once("close", () => {
      connection.calls--;
      connection.idleSinceMs = clock.now();
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#bear(session, connection);
    });
    const onRefused = (why: Refusal): void => {
      this.#events.refused(why);
      this.#bear(session, connection);
    };
    const call = new ServerCall(stream, { maxMessageBytes, budget: this.#budget, onRefused });
    if (callsLast) this.#bear(session, connection);
    if (session.destroyed || refuseForeign(call, headers)) return;
    const answer = headers[":method"] === "POST" ? methods.get(String(headers[":path"])) : undefined;
    if (answer === undefined) call.refuse("method", status.UNIMPLEMENTED, "there is no such method");
    else answer(call);
  }

  #look(): void {
    const { askMs, deadMs, idleMs } = this.#timing;
    const nowMs = this.#options.clock.now();
    for (const [session, connection] of this.#connections) {
      if (session.destroyed) continue;
      const { bytesRead } = session.socket;
      if (bytesRead !== connection.bytesRead) {
        connection.bytesRead = bytesRead;
        connection.heardAtMs = nowMs;
        connection.askedAtMs = undefined;
      }
      const { askedAtMs } = connection;
      const isIdle = connection.calls === 0 && nowMs - connection.idleSinceMs >= idleMs;
      const isDead = askedAtMs !== undefined && nowMs - askedAtMs >= deadMs - askMs;
      if (isIdle || isDead) session.destroy();
      else if (askedAtMs === undefined && nowMs - connection.heardAtMs >= askMs) {
        connection.askedAtMs = nowMs;
        session.ping(() => {});
      }
    }
  }
}

/** True if the call is not gRPC, or its messages can't be read; then it was refused. */
function refuseForeign(call: ServerCall, headers: IncomingHttpHeaders): boolean {
  const { "content-type": type = "", te, "grpc-encoding": encoding = "identity" } = headers;
  if (!/^application\/grpc($|[+;])/.test(type)) {
    // A client of another protocol would not understand a gRPC status alone.
    call.refuse("not_grpc", status.INVALID_ARGUMENT, "the content-type must be application/grpc", 415);
  } else if (te !== "trailers") {
    call.refuse("not_grpc", status.INVALID_ARGUMENT, "te: trailers is missing: something between passes none on");
  } else if (encoding !== "identity") {
    call.refuse("compressed", status.UNIMPLEMENTED, "messages must not be compressed");
  } else return false;
  return true;
}

/** Runs after the sockets' turn: bytes that arrived while this process got no processor time must not count as silence. */
function everyTurn(periodMs: number, call: () => void): () => void {
  const timer = setInterval(() => setImmediate(call), periodMs).unref();
  return () => clearInterval(timer);
}
