/**
 * A port for gRPC calls that stay open, mostly one for a connection, over TLS with a certificate on both sides:
 * node:http2 with nothing between. For a thousand sidecars that each get a message and answer it, the library that serves
 * Identity costs about as much again as node:http2 itself.
 *
 * It finds peers that are gone without a word. They ask for a sign of life themselves, so what they send stands for theirs:
 * one look at all connections every few seconds, and a PING only to those that were silent.
 */

import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import type { Clock } from "../../model/clock.ts";
import { contextOptions, type ServerCertificate } from "../identity/server-credentials.ts";
import { ServerCall } from "./server-call.ts";

export interface StreamServerOptions {
  /** Who answers, by path: `/tulle.v1.Discovery/Stream`. */
  readonly methods: ReadonlyMap<string, (call: ServerCall) => void>;
  readonly certificate: ServerCertificate;
  /** Of one message from a client. */
  readonly maxMessageBytes: number;
  readonly maxCallsPerConnection: number;
  readonly clock: Clock;
  readonly timing?: Partial<SilenceTiming>;
}

export interface SilenceTiming {
  /** Between two looks at all connections. */
  readonly lookMs: number;
  /** After so long without a byte a connection is asked for a sign of life. */
  readonly askMs: number;
  /** After so long without a byte, the last of it asked, or without a call, it is ended. */
  readonly deadMs: number;
}

/** Sidecars ask every 30 s, seen up to a quarter late, so what is alive is hardly ever asked. */
const usualTiming: SilenceTiming = { lookMs: 5_000, askMs: 40_000, deadMs: 50_000 };
const handshakeMs = 10_000;

interface Connection {
  bytesRead: number;
  heardAtMs: number;
  /** For a sign of life, that has not come yet; undefined: it was not. */
  askedAtMs: number | undefined;
  calls: number;
  /** Since when it has had no call. */
  idleSinceMs: number;
}

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #timing: SilenceTiming;
  readonly #server: Http2SecureServer;
  readonly #connections = new Map<ServerHttp2Session, Connection>();
  /** Those in the middle of a handshake among them. */
  readonly #sockets = new Set<Socket>();
  #looking: NodeJS.Timeout | undefined;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#timing = { ...usualTiming, ...options.timing };
    this.#server = createSecureServer({
      ...contextOptions(options.certificate),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: handshakeMs,
      settings: { maxConcurrentStreams: options.maxCallsPerConnection },
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("session", (session) => this.#take(session));
    this.#server.on("stream", (stream, headers) => this.#answer(stream, headers));
  }

  /** For connections from now on; those that are open stay. */
  rotate(certificate: ServerCertificate): void {
    this.#server.setSecureContext(contextOptions(certificate));
  }

  /** Resolves to the port; rejects in one plain line where it can't be had. */
  listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#server.once("error", (error: Error) => reject(new Error(`can't listen: ${error.message}`)));
    this.#server.listen(port, host, () => {
      // After the sockets' turn: what came while this process got no processor is no silence.
      this.#looking = setInterval(() => setImmediate(() => this.#look()), this.#timing.lookMs).unref();
      resolve((this.#server.address() as AddressInfo).port);
    });
    return promise;
  }

  /** Lets calls finish for `graceMs`, then breaks their connections. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#looking);
    const { promise, resolve } = Promise.withResolvers<void>();
    const force = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    this.#server.close(() => resolve());
    for (const session of this.#connections.keys()) session.close();
    await promise;
    clearTimeout(force);
  }

  #take(session: ServerHttp2Session): void {
    const nowMs = this.#options.clock.now();
    this.#connections.set(session, {
      bytesRead: 0,
      heardAtMs: nowMs,
      askedAtMs: undefined,
      calls: 0,
      idleSinceMs: nowMs,
    });
    session.once("close", () => this.#connections.delete(session));
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { methods, maxMessageBytes, clock } = this.#options;
    const connection = stream.session && this.#connections.get(stream.session as ServerHttp2Session);
    if (connection !== undefined) {
      connection.calls++;
      stream.once("close", () => {
        connection.calls--;
        connection.idleSinceMs = clock.now();
      });
    }
    const call = new ServerCall(stream, maxMessageBytes);
    const answer = methods.get(String(headers[":path"]));
    if (headers[":method"] !== "POST" || answer === undefined)
      call.end(status.UNIMPLEMENTED, "there is no such method");
    else answer(call);
  }

  #look(): void {
    const { askMs, deadMs } = this.#timing;
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
      const isIdle = connection.calls === 0 && nowMs - connection.idleSinceMs >= deadMs;
      const isDead = askedAtMs !== undefined && nowMs - askedAtMs >= deadMs - askMs;
      if (isIdle || isDead) session.destroy();
      else if (askedAtMs === undefined && nowMs - connection.heardAtMs >= askMs) {
        connection.askedAtMs = nowMs;
        session.ping(() => {});
      }
    }
  }
}
