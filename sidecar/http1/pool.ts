/**
 * Connections to one application port, kept alive and taken last in, first out.
 *
 * It handles the keep-alive race: a server may close an idle connection just when a request is on its way. Connections
 * idle for too long are not used; requests that can't be repeated get a fresh one; the others are repeated once,
 * invisibly. What else deserves a retry is not decided here.
 *
 * A connection that its server has bound to its client (NTLM, Negotiate) belongs to that client from then on.
 *
 * ```
 *   connecting ──▶ idle ⇄ busy ──▶ gone          connecting, idle ──▶ gone
 * ```
 */

import type * as net from "node:net";
import type { Clock } from "../../model/clock.ts";
import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { ClientConnection } from "../net/client-connection.ts";
import { connectFailureCode } from "../net/connect-failure.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import { readingShared } from "../net/shared-reads.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import { Http1Client } from "./client.ts";
import { ClientExchange } from "./client-exchange.ts";
import type { Http1Limits } from "./limits.ts";

/**
 * Starts a connection: `net.connect({ host, port, allowHalfOpen: true, onread })`. With `onread` all sockets read into one
 * buffer; leaving it out works too.
 */
export type Connect = (onread: net.OnReadOpts) => net.Socket;

export interface Http1PoolOptions {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  /** Names the server in errors: `10.1.2.3:8080`. */
  readonly peer?: string;
  readonly limits?: Partial<Http1Limits>;
  /** Connections at a time, including those being opened. Default: no limit. */
  readonly maxConnections?: number;
  /**
   * Requests that may wait for a connection once `maxConnections` is reached; the next one is `overloaded`. Default 1,024.
   */
  readonly maxQueued?: number;
  /** How long a connection may be idle if the server doesn't say how long it keeps it. Default 4 s. */
  readonly idleTimeoutMs?: number;
}

/** A connection idle for less than this may carry a request that can't be repeated. */
const freshMs = 1_000;
/** How long a connection reserved for one client may be idle: its server keeps the login with the connection. */
const ownIdleMs = 120_000;
/** The share of the server's own idle timeout that is used; the rest allows for the network's delay. */
const keepAliveShare = 0.8;
/**
 * Each race halves the idle limit, down to this share of it; each late reuse that goes well lets it grow again by this factor.
 */
const minIdleShare = 1 / 64;
const idleShareGrowth = 1.1;
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * A connection and its one timer: first for the connect timeout, then for the idle limit. The latter stays armed while the
 * connection is in use and is checked when it expires, because most connections are idle only for a moment.
 */
class PooledConnection extends Timer {
  readonly client: Http1Client;
  connected = false;
  idleSinceMs = 0;
  /** When the connection will have been idle for too long, and when its timer expires: at that time or sooner. */
  idleUntilMs = 0;
  armedForMs = Number.POSITIVE_INFINITY;
  /** It was reused late in its idle time: if that goes well, the limit was short enough. */
  takenLate = false;
  /** The client that it is reserved for. */
  owner: ClientConnection | undefined;
  /** The request that it was dialled for, until it is connected. */
  dialledFor: ClientExchange | undefined;
  readonly #onExpired: (connection: PooledConnection) => void;

  constructor(client: Http1Client, dialledFor: ClientExchange, onExpired: (connection: PooledConnection) => void) {
    super();
    this.client = client;
    this.dialledFor = dialledFor;
    this.#onExpired = onExpired;
  }

  expire(): void {
    this.#onExpired(this);
  }
}

export class Http1Pool {
  /** How many connections were opened, and how many races with a closing server were seen. */
  connectCount = 0;
  closeRaceCount = 0;

  readonly #connect: Connect;
  readonly #options: Http1PoolOptions;
  readonly #connections = new Map<Http1Client, PooledConnection>();
  readonly #idle: PooledConnection[] = [];
  readonly #own = new Map<ClientConnection, PooledConnection>();
  readonly #waiting: ClientExchange[] = [];
  /** Requests that were repeated once, and won't be again. */
  readonly #repeated = new WeakSet<ClientExchange>();
  #connecting = 0;
  #idleShare = 1;
  #closed = false;

  constructor(connect: Connect, options: Http1PoolOptions) {
    this.#connect = connect;
    this.#options = options;
  }

  readonly request = (exchange: Exchange, response: ResponseSink): RequestSink => {
    const clientExchange = new ClientExchange(exchange, response, this.#leaveQueue);
    this.#assign(clientExchange);
    return clientExchange;
  };

  /** How many connections are open or being opened. */
  get size(): number {
    return this.#connections.size;
  }

  /** Closes idle connections and accepts no requests; exchanges in progress finish. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.client.destroy();
    for (const exchange of this.#waiting.splice(0)) exchange.fail(this.#unsent("connect_failed", "the pool is closed"));
    for (const { client, connected } of this.#connections.values()) if (!connected || client.idle) client.destroy();
  }

  #assign(exchange: ClientExchange): void {
    if (this.#closed) return exchange.fail(this.#unsent("connect_failed", "the pool is closed"));
    const connection = this.#takeOwn(exchange.exchange) ?? this.#takeIdle(exchange);
    if (connection !== undefined) return connection.client.send(exchange);
    // A connection that has been idle too long for this request may occupy the last place.
    if (this.#full()) this.#idle[0]?.client.destroy();
    if (this.#full() && this.#waiting.length - this.#connecting >= (this.#options.maxQueued ?? 1_024))
      return exchange.fail(this.#unsent("overloaded", "too many requests wait for a connection"));
    this.#waiting.push(exchange);
    this.#openForWaiting();
  }

  #full(): boolean {
    return this.#connections.size >= (this.#options.maxConnections ?? Number.POSITIVE_INFINITY);
  }

  /** Opens a connection for each waiting request, as far as the limit allows. */
  #openForWaiting(): void {
    while (!this.#closed && !this.#full()) {
      const next = this.#waiting[this.#connecting];
      if (next === undefined) return;
      this.#open(next);
    }
  }

  #takeOwn({ client }: Exchange): PooledConnection | undefined {
    if (client === undefined || this.#own.size === 0) return undefined;
    const connection = this.#own.get(client);
    return connection?.client.idle === true ? connection : undefined;
  }

  /** Over HTTP/2 all requests share a connection, and a mirrored copy has no client: no connection can be bound to these. */
  readonly #bind = (client: Http1Client, exchange: Exchange): boolean => {
    const connection = this.#connections.get(client);
    if (connection === undefined || exchange.overHttp2) return false;
    if (connection.owner !== undefined) return connection.owner === exchange.client;
    // A peer's sidecar is told about the connection, and asks for it again.
    if (exchange.client === undefined && exchange.peer === undefined) return false;
    exchange.client ??= new ClientConnection();
    const owner = exchange.client;
    if (this.#own.has(owner) || !owner.own(client)) return false;
    connection.owner = owner;
    this.#own.set(owner, connection);
    const { backend } = exchange;
    owner.bind({ address: this.#options.peer ?? "", backend, id: undefined });
    return true;
  };

  #takeIdle(exchange: ClientExchange): PooledConnection | undefined {
    const connection = this.#idle.at(-1);
    if (connection === undefined) return undefined;
    const repeatable = isRepeatable(exchange.exchange) && !this.#repeated.has(exchange);
    const idleMs = this.#options.clock.now() - connection.idleSinceMs;
    const limitMs = this.#idleLimitMs(connection);
    // The last one is the freshest: if it is too old, all are.
    if (connection.client.requestCount > 0 && idleMs >= (repeatable ? limitMs : Math.min(limitMs, freshMs)))
      return undefined;
    this.#idle.pop();
    connection.takenLate = idleMs > limitMs / 2;
    return connection;
  }

  #idleLimitMs(connection: PooledConnection): number {
    const keepAliveMs = connection.client.keepAliveTimeoutMs;
    const limitMs = keepAliveMs === undefined ? (this.#options.idleTimeoutMs ?? 4_000) : keepAliveMs * keepAliveShare;
    return limitMs * this.#idleShare;
  }

  #open(exchange: ClientExchange): void {
    const { connectTimeoutMs } = exchange.exchange;
    const { peer, limits, timers } = this.#options;
    this.connectCount++;
    this.#connecting++;
    const socket = this.#connect(readingShared((chunk) => client.receive(chunk)));
    const client = new Http1Client(socket, {
      ...(peer === undefined ? {} : { peer }),
      ...(limits === undefined ? {} : { limits }),
      onIdle: this.#release,
      onBound: this.#bind,
      onClosed: this.#gone,
      onUnanswered: this.#repeat,
    });
    const connection = new PooledConnection(client, exchange, this.#expired);
    this.#connections.set(client, connection);
    if (!socket.connecting) return this.#opened(connection);
    if (connectTimeoutMs > 0 && Number.isFinite(connectTimeoutMs)) timers.arm(connection, connectTimeoutMs);
    socket.once("connect", () => this.#opened(connection));
  }

  #opened(connection: PooledConnection): void {
    if (connection.connected || !this.#connections.has(connection.client)) return;
    connection.connected = true;
    connection.dialledFor = undefined;
    this.#connecting--;
    this.#options.timers.clear(connection);
    this.#release(connection.client);
  }

  /** A connection is free: it goes to the request that has waited longest. */
  readonly #release = (client: Http1Client): void => {
    const connection = this.#connections.get(client);
    if (connection === undefined) return;
    if (this.#closed) return client.destroy();
    if (connection.takenLate) this.#idleShare = Math.min(1, this.#idleShare * idleShareGrowth);
    connection.takenLate = false;
    if (connection.owner !== undefined) return this.#limitIdle(connection, ownIdleMs);
    const next = this.#waiting.length === 0 ? undefined : this.#waiting.shift();
    if (next !== undefined) return client.send(next);
    connection.idleSinceMs = this.#options.clock.now();
    this.#idle.push(connection);
    this.#limitIdle(connection, this.#idleLimitMs(connection));
  };

  #limitIdle(connection: PooledConnection, limitMs: number): void {
    const { clock, timers } = this.#options;
    connection.idleUntilMs = clock.now() + limitMs;
    if (connection.armedForMs <= connection.idleUntilMs) return;
    connection.armedForMs = connection.idleUntilMs;
    timers.arm(connection, limitMs);
  }

  readonly #expired = (connection: PooledConnection): void => {
    const { client, connected, idleUntilMs } = connection;
    if (!connected) return client.destroy(this.#unsent("connect_timeout", "no connection in time"));
    connection.armedForMs = Number.POSITIVE_INFINITY;
    if (!client.idle) return;
    const restMs = idleUntilMs - this.#options.clock.now();
    if (restMs > 0) this.#limitIdle(connection, restMs);
    else client.destroy();
  };

  readonly #gone = (client: Http1Client, cause: Error | undefined): void => {
    const connection = this.#connections.get(client);
    if (connection === undefined) return;
    this.#connections.delete(client);
    this.#options.timers.clear(connection);
    if (connection.owner !== undefined) {
      this.#own.delete(connection.owner);
      connection.owner.disown(client);
    }
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (!connection.connected) this.#connectFailed(connection.dialledFor, cause);
    this.#openForWaiting();
  };

  /**
   * Fails the request for which the connection was dialled. If that was already served or is gone, the other waiting requests get
   * another dial.
   */
  #connectFailed(exchange: ClientExchange | undefined, cause: Error | undefined): void {
    this.#connecting--;
    const at = exchange === undefined ? -1 : this.#waiting.indexOf(exchange);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    const why = cause?.message ?? "closed while connecting";
    exchange?.fail(cause instanceof MeshError ? cause : this.#unsent(connectFailureCode(cause), why, cause));
  }

  /** A reused connection died under a request: the server had closed it before it saw the request. */
  readonly #repeat = (client: Http1Client, exchange: ClientExchange): boolean => {
    if (client.requestCount < 2) return false;
    this.closeRaceCount++;
    this.#idleShare = Math.max(minIdleShare, this.#idleShare / 2);
    if (!isRepeatable(exchange.exchange) || this.#repeated.has(exchange) || this.#closed) return false;
    this.#repeated.add(exchange);
    exchange.restart();
    this.#waiting.unshift(exchange);
    this.#openForWaiting();
    return true;
  };

  readonly #leaveQueue = (exchange: ClientExchange): void => {
    const at = this.#waiting.indexOf(exchange);
    if (at >= 0) this.#waiting.splice(at, 1);
  };

  #unsent(code: ErrorCode, why: string, cause?: Error): MeshError {
    const peer = this.#options.peer;
    return new MeshError(code, peer === undefined ? why : `${peer}: ${why}`, { cause, processed: "unprocessed" });
  }
}

/** Whether a request can be repeated without changing its effect on the application (RFC 9110 §9.2.2). */
function isRepeatable(exchange: Exchange): boolean {
  return exchange.bodyless && exchange.upgrade === undefined && idempotentMethods.has(exchange.method);
}
