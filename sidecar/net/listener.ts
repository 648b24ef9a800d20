/** Listening sockets that know their connections, so that a drain can wait for them and a close can end them. */

import { once } from "node:events";
import net from "node:net";
import { tcpKeepAlive } from "./keep-alive.ts";

/** One served connection, whatever its codec. */
export interface ServedConnection {
  /** Finishes what runs, takes nothing new. */
  drain(): void;
  /**
   * Sends its client elsewhere without losing one of its requests: what it asks next is still answered, with the word that
   * it is the last, and it closes by itself where nothing is asked. Absent: its bytes leave no room for a word.
   */
  leave?(): void;
  /** Nothing runs on it. Absent: something does, until it ends. */
  readonly isAtRest?: boolean;
}

export interface Listener {
  readonly port: number;
  /** Drains the connections there are; new ones are served as ever. */
  drainConnected(): void;
  /** Sends the clients of all connections elsewhere, also of those to come: each of them is served before. */
  leave(): void;
  /** Passes no new connection on, and drains those there are. Resolves when all are gone. */
  drain(): Promise<void>;
  /** Ends everything now. */
  close(): void;
  readonly connectionCount: number;
}

export interface ConnectionLimit {
  /** At a time. Default 10,000. */
  readonly most: number;
  /** One too many came: an idle one was closed for it, or where there was none, it was. */
  readonly onExceeded: () => void;
}

/** How many are looked at for an idle one, at most: whoever comes then waits for it. */
const longestSearch = 1_000;

/** Serves a connection that is tracked already. */
export type Accept = (socket: net.Socket, connections: Connections) => void;

/** Tracks sockets from their acceptance to their end. */
export class Connections {
  readonly #drains = new Map<net.Socket, ServedConnection | undefined>();
  readonly #limit: ConnectionLimit;
  /** `open ──▶ leaving ──▶ draining`, or straight to the last. */
  #phase: "open" | "leaving" | "draining" = "open";
  readonly #onEmpty: (() => void)[] = [];

  constructor(limit: Partial<ConnectionLimit> = {}) {
    this.#limit = { most: 10_000, onExceeded: () => {}, ...limit };
  }

  get size(): number {
    return this.#drains.size;
  }

  /** False: there are too many, and this one is closed. */
  add(socket: net.Socket): boolean {
    if (this.#drains.size >= this.#limit.most) {
      this.#limit.onExceeded();
      if (!this.#closeIdle()) {
        socket.on("error", () => {}); // nothing to do for it: it is being closed
        socket.destroy();
        return false;
      }
    }
    this.#drains.set(socket, undefined);
    socket.on("close", () => {
      this.#drains.delete(socket);
      if (this.#drains.size > 0) return;
      for (const resolve of this.#onEmpty.splice(0)) resolve();
    });
    return true;
  }

  /** The one that came first of those on which nothing runs, or of which it is not known yet what they speak. */
  #closeIdle(): boolean {
    let left = longestSearch;
    for (const [socket, connection] of this.#drains) {
      if (connection === undefined || connection.isAtRest === true) {
        this.#drains.delete(socket);
        if (connection === undefined) socket.destroy();
        else connection.drain();
        return true;
      }
      if (--left === 0) return false;
    }
    return false;
  }

  /** Says how to drain a socket, once its protocol is known. */
  serve(socket: net.Socket, connection: ServedConnection): void {
    if (!this.#drains.has(socket)) return;
    this.#drains.set(socket, connection);
    if (this.#phase === "draining") connection.drain();
    else if (this.#phase === "leaving") connection.leave?.();
  }

  /** Those of which is not known yet what they speak have nothing to finish, and are left to begin. */
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
    if (this.#drains.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty.push(resolve);
    });
  }

  destroy(): void {
    for (const socket of this.#drains.keys()) socket.destroy();
  }
}

/** Listens for plain connections, on `::` for IPv6 only. Rejects where it can't: the port is in use. */
export async function listen(
  address: { readonly host: string; readonly port: number },
  accept: Accept,
  limit?: Partial<ConnectionLimit>,
): Promise<Listener> {
  const connections = new Connections(limit);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, ...tcpKeepAlive }, (socket) => {
    if (connections.add(socket)) accept(socket, connections);
  });
  server.listen({ ...address, ipv6Only: true });
  await once(server, "listening");
  return asListener(server, connections);
}

/** Listens on each of the hosts. Without IPv6 on this machine, those of IPv6 are left out. */
export async function listenOnEach(
  hosts: readonly string[],
  port: number,
  accept: Accept,
  limit?: Partial<ConnectionLimit>,
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
  // One connection could not be accepted, for want of descriptors say; an error without a listener would end the process.
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
