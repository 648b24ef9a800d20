/** Connections in the clear: to the application of this pod, to pods without a sidecar, and out of the mesh. */

import net from "node:net";
import type { Clock } from "../../model/clock.ts";
import { Http1Pool } from "../http1/pool.ts";
import { withholdOwnFields } from "../policy/own-fields.ts";
import { rescue } from "../policy/rescue.ts";
import { splitAddress } from "./address.ts";
import { type Service, stack } from "./exchange.ts";
import { dialTcp } from "./tcp.ts";
import type { TimerWheel } from "./timer-wheel.ts";

export interface PlainUpstreamsOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

/** Addresses with a pool of their own, at most; the oldest is dropped for the next. */
const maxPools = 1_000;

export class PlainUpstreams {
  readonly #options: PlainUpstreamsOptions;
  readonly #pools = new Map<string, Http1Pool>();

  constructor(options: PlainUpstreamsOptions) {
    this.#options = options;
  }

  /** HTTP/1.1 to `host:port`, and tunnels for CONNECT. */
  service(address: string): Service {
    const tunnel = dialTcp(() => net.connect({ ...hostAndPort(address), allowHalfOpen: true }));
    return (exchange, response) =>
      exchange.method === "CONNECT" ? tunnel(exchange, response) : this.#pool(address).request(exchange, response);
  }

  /** The same for who has no stack above: it gets none of the mesh's fields, and errors become answers. */
  answering(address: string): Service {
    return stack([rescue(), withholdOwnFields()], this.service(address));
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #pool(address: string): Http1Pool {
    const known = this.#pools.get(address);
    if (known !== undefined) return known;
    const oldest = this.#pools.size >= maxPools ? this.#pools.keys().next().value : undefined;
    if (oldest !== undefined) {
      this.#pools.get(oldest)?.close();
      this.#pools.delete(oldest);
    }
    const { clock, wheel } = this.#options;
    const { host, port } = hostAndPort(address);
    const connect = (onread: net.OnReadOpts) => net.connect({ host, port, allowHalfOpen: true, onread });
    const pool = new Http1Pool(connect, { clock, timers: wheel, peer: address });
    this.#pools.set(address, pool);
    return pool;
  }
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const { host, port = 80 } = splitAddress(address);
  return { host, port };
}
