/** Listening sockets that know their connections, so that a drain can wait for them and a close can end them. */

import { once } from "node:events";
import net from "node:net";
import { FairLimit } from "../../system/fair-limit.ts";
import { tcpKeepAlive } from "./keep-alive.ts";

/** One served connection, whatever its codec. */
export interface ServedConnection {
  /** Finishes what is in progress, and takes nothing new. */
  drain(): void;
  /**
   * Sends its client elsewhere without losing a request: its next request is still answered, with notice that it is the last,
   * and the connection closes by itself if nothing is asked. Absent: its protocol has no way to give notice.
   */
  leave?(): void;
  /** Whether nothing is in progress on it. Absent: something is, until it ends. */
  readonly isAtRest?: boolean;
}

export interface Listener {
  readonly port: number;
  /** Drains the existing connections; new ones are served as usual. */
  drainConnected(): void;
  /** Sends the clients of all connections elsewhere, including future ones, each after its first request. */
  leave(): void;
  /** Accepts no new connection, and drains the existing ones. Resolves when all are gone. */
  drain(): Promise<void>;
  /** Closes everything now. */
  close(): void;
  readonly connectionCount: number;
}

export interface ListenerLimit {
  /** Connections at a time. Default 10,000. */
  readonly most: number;
  /**
   * Called when there is one connection too many. An idle one was closed for it; or if there was none, the oldest of the
   * address that has the most; or, if that is the newcomer's own address, the newcomer.
   */
  readonly onExceeded: () => void;
}

/** How many connections are searched for an idle one, at most, since the newcomer waits for that. */
const longestSearch = 1_000;
/** How many connections may be closing gracefully at a time; with more, somebody opens them faster than they can end. */
const maxDisplaced = 100;

/** Serves a connection that is tracked already. */
export type Accept = (socket: net.Socket, connections: Connections) => void;

/** Tracks sockets from their acceptance to their end. */
export class Connections {
  readonly #drains = new Map<net.Socket, ServedConnection | undefined>();
  /** Closed to make room while they were idle, and not gone yet: they no longer count. */
  readonly #displaced = new Set<net.Socket>();
  readonly #limit: FairLimit<net.Socket>;
  readonly #most: number;
  readonly #onExceeded: () => void;
  /** `open ──▶ leaving ──▶ draining`, or straight to the last. */
  #phase: "open" | "leaving" | "draining" = "open";
  readonly #onEmpty: (() => void)[] = [];

  constructor({ most = 10_000, onExceeded = () => {} }: Partial<ListenerLimit> = {}) {
    this.#limit = new FairLimit(most);
    this.#most = most;
    this.#onExceeded = onExceeded;
  }

  get size(): number {
    return this.#drains.size;
  }

  /** Returns false if there are too many and this one is closed. */
  add(socket: net.Socket): boolean {
    const address = socket.remoteAddress ?? "";
    if (this.#limit.count >= this.#most) {
      this.#onExceeded();
      this.#closeIdle();
    }
    const excess = this.#limit.admit(address, socket);
    if (excess === socket) {
      socket.on("error", () => {}); // nothing to do: it is being closed
      socket.destroy();
      return false;
    }
    excess?.destroy();
    this.#drains.set(socket, undefined);
    socket.on("close", () => {
      this.#limit.leave(address, socket);
      this.#drains.delete(socket);
      this.#displaced.delete(socket);
      if (this.#isEmpty) for (const resolve of this.#onEmpty.splice(0)) resolve();
    });
    return true;
  }

  get #isEmpty(): boolean {
    return this.#drains.size === 0 && this.#displaced.size === 0;
  }

  /** Closes the oldest connection on which nothing is in progress, or whose protocol is not known yet. */
  #closeIdle(): void {
    let left = longestSearch;
    for (const [socket, connection] of this.#drains) {
      if (connection === undefined || connection.isAtRest === true) return this.#displace(socket, connection);
      if (--left === 0) return;
    }
  }

  /** Closes gracefully, if only a few others are still closing. */
  #displace(socket: net.Socket, connection: ServedConnection | undefined): void {
    this.#limit.leave(socket.remoteAddress ?? "", socket);
    this.#drains.delete(socket);
    this.#displaced.add(socket);
    if (connection === undefined || this.#displaced.size > maxDisplaced) socket.destroy();
    else connection.drain();
  }

  /** Sets how to drain a socket, once its protocol is known. */
  serve(socket: net.Socket, connection: ServedConnection): void {
    if (!this.#drains.has(socket)) return;
    this.#drains.set(socket, connection);
    if (this.#phase === "draining") connection.drain();
    else if (this.#phase === "leaving") connection.leave?.();
  }

  /** Connections whose protocol is not known yet have nothing to finish, and may begin. */
  drainConnected(): void {
    for (const connection of this.#drains.values()) connection?.drain();
  }

  leave(): void {
    if (this.#phase === "open") this.#phase = "leaving";
    for (const connection of this.#drains.values()) connection?.leave?.();
  }

  drain(): Promise<void> {
    this.#phase = "draining";
    for (const [socket, connection] of this.#drains) {
      if (connection !== undefined) connection.drain();
      else socket.destroy();
    }
    if (this.#isEmpty) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty.push(resolve);
    });
  }

  destroy(): void {
    for (const socket of this.#drains.keys()) socket.destroy();
    for (const socket of this.#displaced) socket.destroy();
  }
}

/** Listens for plain connections, on `::` for IPv6 only. Rejects if it can't: the port is in use. */
export async function listen(
  address: { readonly host: string; readonly port: number },
  accept: Accept,
  limit?: Partial<ListenerLimit>,
): Promise<Listener> {
  const connections = new Connections(limit);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, ...tcpKeepAlive }, (socket) => {
    if (connections.add(socket)) accept(socket, connections);
  });
  server.listen({ ...address, ipv6Only: true });
  await once(server, "listening");
  return asListener(server, connections);
}

/** Listens on each of the hosts. If this machine has no IPv6, IPv6 hosts are left out. */
export async function listenOnEach(
  hosts: readonly string[],
  port: number,
  accept: Accept,
  limit?: Partial<ListenerLimit>,
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  for (const host of hosts) {
    try {
      listeners.push(await listen({ host, port }, accept, limit));
    } catch (error) {
      if (net.isIPv6(host) && isWithoutIpv6(error)) continue;
      for (const listener of listeners) listener.close();
      throw error;
    }
  }
  return listeners;
}

function isWithoutIpv6(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

export function asListener(server: net.Server, connections: Connections): Listener {
  const bound = server.address();
  // A single connection could not be accepted, perhaps for lack of file descriptors. Without a listener the error would end the
  // process.
  server.on("error", () => {});
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : 0,
    get connectionCount() {
      return connections.size;
    },
    drainConnected() {
      connections.drainConnected();
    },
    leave() {
      connections.leave();
    },
    drain() {
      server.close();
      return connections.drain();
    },
    close() {
      server.close();
      connections.destroy();
    },
  };
}
