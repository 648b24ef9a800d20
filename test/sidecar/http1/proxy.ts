/** A server and a pool of this codec, joined back to back, in front of a scripted upstream. All over real sockets. */

import * as net from "node:net";
import { Http1Pool, type Http1PoolOptions } from "../../../sidecar/http1/pool.ts";
import { type Http1ServerConnection, type Http1ServerOptions, serveHttp1 } from "../../../sidecar/http1/server.ts";
import type { Layer } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { listen, RawClient } from "../../support/sockets.ts";

/** One connection as the upstream sees it. */
export class UpstreamConnection {
  readonly socket: net.Socket;
  received = "";
  readonly closed: Promise<void>;
  #waiting: { expected: string; resolve: () => void }[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
      this.#look();
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve());
  }

  send(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  receive(expected: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ expected, resolve });
    this.#look();
    return promise;
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ expected, resolve }) => {
      if (!this.received.includes(expected)) return true;
      resolve();
      return false;
    });
  }
}

export interface Proxy {
  readonly port: number;
  readonly pool: Http1Pool;
  readonly clock: HandClock;
  readonly upstreams: UpstreamConnection[];
  readonly connections: Set<Http1ServerConnection>;
  readonly refusals: string[];
  /** The next connection that the upstream accepts, from the first on. */
  readonly nextUpstream: () => Promise<UpstreamConnection>;
  readonly client: () => RawClient;
  /** Lets time go by, for both sides. */
  readonly advance: (ms: number) => void;
  /** Settles when no client connection is left, for each of which the server has said so. */
  readonly allClosed: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface ProxyOptions {
  /** What the upstream does with each connection; nothing by default. */
  readonly upstream?: (connection: UpstreamConnection) => void;
  readonly server?: Partial<Http1ServerOptions>;
  readonly pool?: Partial<Http1PoolOptions>;
  readonly layer?: Layer;
}

export async function startProxy(options: ProxyOptions = {}): Promise<Proxy> {
  const upstreams: UpstreamConnection[] = [];
  const accepted: ((connection: UpstreamConnection) => void)[] = [];
  let taken = 0;
  const upstream = await listen((socket) => {
    const connection = new UpstreamConnection(socket);
    upstreams.push(connection);
    accepted.shift()?.(connection);
    options.upstream?.(connection);
  });

  const clock = new HandClock(1_000_000);
  const timers = new TimerWheel(clock, { drive: false });
  const connect = (onread: net.OnReadOpts) =>
    net.connect({ host: "127.0.0.1", port: upstream.port, allowHalfOpen: true, onread });
  const pool = new Http1Pool(connect, { clock, timers, peer: "upstream", ...options.pool });
  const service = options.layer === undefined ? pool.request : options.layer(pool.request);

  const connections = new Set<Http1ServerConnection>();
  const refusals: string[] = [];
  let whenEmpty: (() => void)[] = [];
  const front = await listen((socket) => {
    const connection = serveHttp1(socket, service, {
      timers,
      onRefused: (code) => refusals.push(code),
      onClosed: () => {
        connections.delete(connection);
        if (connections.size > 0) return;
        for (const resolve of whenEmpty) resolve();
        whenEmpty = [];
      },
      ...options.server,
    });
    connections.add(connection);
  });

  const clients: RawClient[] = [];
  return {
    port: front.port,
    pool,
    clock,
    upstreams,
    connections,
    refusals,
    nextUpstream: () => {
      const connection = upstreams[taken++];
      if (connection !== undefined) return Promise.resolve(connection);
      const { promise, resolve } = Promise.withResolvers<UpstreamConnection>();
      accepted.push(resolve);
      return promise;
    },
    client: () => {
      const client = new RawClient(front.port);
      clients.push(client);
      return client;
    },
    advance: (ms) => {
      // In steps, as a wheel that is driven sees it.
      for (let left = ms; left > 0; left -= 1000) {
        clock.advance(Math.min(left, 1000));
        timers.advance();
      }
    },
    allClosed: () => {
      if (connections.size === 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      whenEmpty.push(resolve);
      return promise;
    },
    close: async () => {
      for (const client of clients) client.socket.destroy();
      pool.close();
      await Promise.all([front.close(), upstream.close()]);
    },
  };
}
