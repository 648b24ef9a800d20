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

export interface DoorLimits {
  readonly maxConnections: number;
  /** How many of those may be in the middle of their handshake: it is not known yet who they are. */
  readonly maxHandshakes: number;
}

/** The first handshakes of a whole mesh may arrive all at once. */
export const usualDoorLimits: DoorLimits = { maxConnections: 5_000, maxHandshakes: 2_000 };

/**
 * After this much silence the kernel probes once a second; after ten probes without an answer the connection breaks. This wakes
 * up no process.
 */
const vanishedAfterMs = 30_000;

export interface DoorEvents {
  readonly opened: () => void;
  readonly closed: () => void;
  readonly refused: (why: "too_many" | "handshake") => void;
}

type End = Pick<Socket, "remoteAddress" | "remotePort">;

interface Guest {
  readonly socket: Socket;
  readonly address: string;
  stands: "accepted" | "settled" | "refused";
}

export class Door {
  readonly #events: DoorEvents;
  readonly #all: FairLimit<Guest>;
  readonly #accepted: FairLimit<Guest>;
  /** By the address and port of the other end: TLS has a different socket object than the one that was accepted. */
  readonly #guests = new Map<string, Guest>();

  constructor({ maxConnections, maxHandshakes }: DoorLimits, events: DoorEvents) {
    this.#events = events;
    this.#all = new FairLimit(maxConnections);
    this.#accepted = new FairLimit(maxHandshakes);
  }

  /** Admits an accepted connection, or closes one: this or another. */
  enter(socket: Socket): void {
    // It is gone already, and its address is unknown.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const guest: Guest = { socket, address: socket.remoteAddress, stands: "accepted" };
    const key = keyOf(socket);
    this.#guests.set(key, guest);
    socket.setKeepAlive(true, vanishedAfterMs);
    this.#events.opened();
    socket.once("close", () => this.#leave(key, guest));
    for (const limit of [this.#all, this.#accepted]) {
      const excess = limit.admit(guest.address, guest);
      if (excess !== undefined) this.#refuse(excess, "too_many");
      if (excess === guest) return;
    }
  }

  /** To be called when its TLS handshake is done. */
  settle(end: End): void {
    const guest = this.#guests.get(keyOf(end));
    if (guest?.stands !== "accepted") return;
    guest.stands = "settled";
    this.#accepted.leave(guest.address, guest);
  }

  /** Closes all connections. */
  destroy(): void {
    for (const { socket } of this.#guests.values()) socket.destroy();
  }

  #refuse(guest: Guest, why: "too_many" | "handshake"): void {
    guest.stands = "refused";
    this.#events.refused(why);
    guest.socket.destroy();
  }

  #leave(key: string, guest: Guest): void {
    if (guest.stands === "accepted") this.#refuse(guest, "handshake");
    // The other end may have connected again already, from the same port.
    if (this.#guests.get(key) === guest) this.#guests.delete(key);
    this.#all.leave(guest.address, guest);
    this.#accepted.leave(guest.address, guest);
    this.#events.closed();
  }
}

function keyOf({ remoteAddress, remotePort }: End): string {
  return `${remoteAddress} ${remotePort}`;
}
