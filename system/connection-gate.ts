/**
 * The connections of a port, from the moment they are accepted to their end: how many there may be, and how many of them may
 * still be in the middle of their handshake. It knows nothing of what is said on them.
 *
 * ```
 *   accepted ──TLS done──▶ settled ──▶ closed
 *       └── failed, too slow, one too many ─▲
 * ```
 */

import type { Socket } from "node:net";
import { FairLimit } from "./fair-limit.ts";

export interface GateLimits {
  readonly maxConnections: number;
  /** How many of those may be in the middle of their handshake: it is not known yet who they are. */
  readonly maxHandshakes: number;
}

/** The first handshakes of a whole mesh may arrive all at once. */
export const defaultGateLimits: GateLimits = { maxConnections: 5_000, maxHandshakes: 2_000 };

/**
 * After this much silence the kernel probes once a second; after ten probes without an answer the connection breaks. This wakes
 * up no process.
 */
const vanishedAfterMs = 30_000;

export interface GateEvents {
  readonly opened: () => void;
  readonly closed: () => void;
  readonly refused: (why: "too_many" | "handshake") => void;
}

type End = Pick<Socket, "remoteAddress" | "remotePort">;

interface GatedConnection {
  readonly socket: Socket;
  readonly address: string;
  state: "accepted" | "settled" | "refused";
}

export class ConnectionGate {
  readonly #events: GateEvents;
  readonly #all: FairLimit<GatedConnection>;
  readonly #accepted: FairLimit<GatedConnection>;
  /** By the address and port of the other end: TLS has a different socket object than the one that was accepted. */
  readonly #connections = new Map<string, GatedConnection>();

  constructor({ maxConnections, maxHandshakes }: GateLimits, events: GateEvents) {
    this.#events = events;
    this.#all = new FairLimit(maxConnections);
    this.#accepted = new FairLimit(maxHandshakes);
  }

  /** Admits an accepted connection, or closes one: this or another. */
  enter(socket: Socket): void {
    // It is gone already, and its address is unknown.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const connection: GatedConnection = { socket, address: socket.remoteAddress, state: "accepted" };
    const key = keyOf(socket);
    this.#connections.set(key, connection);
    socket.setKeepAlive(true, vanishedAfterMs);
    this.#events.opened();
    socket.once("close", () => this.#leave(key, connection));
    for (const limit of [this.#all, this.#accepted]) {
      const excess = limit.admit(connection.address, connection);
      if (excess !== undefined) this.#refuse(excess, "too_many");
      if (excess === connection) return;
    }
  }

  /** To be called when its TLS handshake is done. */
  settle(end: End): void {
    const connection = this.#connections.get(keyOf(end));
    if (connection?.state !== "accepted") return;
    connection.state = "settled";
    this.#accepted.leave(connection.address, connection);
  }

  /** Closes all connections. */
  destroy(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #refuse(connection: GatedConnection, why: "too_many" | "handshake"): void {
    connection.state = "refused";
    this.#events.refused(why);
    connection.socket.destroy();
  }

  #leave(key: string, connection: GatedConnection): void {
    if (connection.state === "accepted") this.#refuse(connection, "handshake");
    // The other end may have connected again already, from the same port.
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
    this.#all.leave(connection.address, connection);
    this.#accepted.leave(connection.address, connection);
    this.#events.closed();
  }
}

function keyOf({ remoteAddress, remotePort }: End): string {
  return `${remoteAddress} ${remotePort}`;
}
