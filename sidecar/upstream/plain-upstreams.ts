/** Connections in the clear: to the application of this pod, to pods without a sidecar, and out of the mesh. */

import net from "node:net";
import { splitAddress } from "../../model/address.ts";
import type { Clock, Random } from "../../model/clock.ts";
import type { Protocol } from "../../model/resources.ts";
import { Http1Pool } from "../http1/pool.ts";
import { Link } from "../mesh-link/link.ts";
import { type Exchange, type Service, stack } from "../net/exchange.ts";
import { tcpKeepAlive } from "../net/keep-alive.ts";
import { dialTcp } from "../net/tcp.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { isGrpc } from "../policy/grpc.ts";
import { ownPorts } from "../ports.ts";
import { type PlainTarget, plainHttp2 } from "./http2-connector.ts";
import { lookupElsewhere } from "./lookup-elsewhere.ts";
import { askForAccept, giveAccept } from "./websocket-handshake.ts";

export interface PlainUpstreamsOptions {
  /** This sidecar's own IP: its own ports are not dialled there, whatever name leads to it. */
  readonly podIp: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
}

/** The most addresses with connections of their own; the oldest is dropped for the next. */
const maxUpstreams = 1_000;

export class PlainUpstreams {
  readonly #options: PlainUpstreamsOptions;
  readonly #pools = new Map<string, Http1Pool>();
  readonly #links = new Map<string, Link>();

  constructor(options: PlainUpstreamsOptions) {
    this.#options = options;
  }

  /** Returns the service for `host:port`: a tunnel for CONNECT, HTTP/2 if it is spoken there, else HTTP/1.1. */
  service(address: string, protocol: Protocol = "detect"): Service {
    const tunnel = dialTcp(() => net.connect({ ...this.#target(address), allowHalfOpen: true }));
    const http2 = stack([giveAccept()], (exchange, response) => this.#link(address).service(exchange, response));
    const http1 = stack([askForAccept(this.#options.random)], (exchange, response) =>
      this.#pool(address).request(exchange, response),
    );
    return (exchange, response) => {
      if (exchange.method === "CONNECT") return tunnel(exchange, response);
      return goesOverHttp2(exchange, protocol) ? http2(exchange, response) : http1(exchange, response);
    };
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    for (const link of this.#links.values()) link.drain();
    this.#pools.clear();
    this.#links.clear();
  }

  #link(address: string): Link {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    dropOldest(this.#links, (link) => link.drain());
    const { clock, wheel, random } = this.#options;
    const link = new Link({ connect: plainHttp2(this.#target(address), clock, wheel), clock, wheel, random });
    this.#links.set(address, link);
    return link;
  }

  #pool(address: string): Http1Pool {
    const known = this.#pools.get(address);
    if (known !== undefined) return known;
    dropOldest(this.#pools, (pool) => pool.close());
    const { clock, wheel } = this.#options;
    const target = { ...this.#target(address), allowHalfOpen: true, ...tcpKeepAlive };
    const connect = (onread: net.OnReadOpts) => net.connect({ ...target, onread });
    const pool = new Http1Pool(connect, { clock, timers: wheel, peer: address });
    this.#pools.set(address, pool);
    return pool;
  }

  #target(address: string): PlainTarget {
    const { host, port = 80 } = splitAddress(address);
    return ownPorts.has(port) ? { host, port, lookup: lookupElsewhere(this.#options.podIp) } : { host, port };
  }
}

/** Whether requests to such a port of an application go over HTTP/2. Not called for tunnels. */
export function goesOverHttp2(exchange: Exchange, protocol: Protocol): boolean {
  if (protocol === "http2" || protocol === "grpc") return true;
  return (exchange.overHttp2 && protocol === "detect") || isGrpc(exchange);
}

/** Drops the oldest if there is no room for one more. */
function dropOldest<T>(upstreams: Map<string, T>, close: (upstream: T) => void): void {
  if (upstreams.size < maxUpstreams) return;
  for (const [address, upstream] of upstreams) {
    close(upstream);
    upstreams.delete(address);
    return;
  }
}
