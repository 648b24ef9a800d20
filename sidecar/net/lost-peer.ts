/**
 * Detects that the other end is gone while nobody reads from it. Node reports a reset, or a peer that has vanished, only to
 * readers: it ignores paused sockets. The kernel knows, though: it can no longer name the peer.
 *
 * A client that closes while its bytes are still unread here is detected too, a minute or two later: the kernel's
 * keep-alive probes it, and gets a reset. What it sent can still be read to the end, however slowly, because a client may
 * send, close and rely on that. So it is given up only if nothing was read for a while. One that has only closed its half
 * is still there.
 */

import type net from "node:net";
import { constants } from "node:os";
import { keepAliveAfterMs } from "./keep-alive.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

/**
 * Whether the kernel has given up the connection early. False once we have ended our half: after both ends it is closed properly,
 * and what has arrived may still be read.
 */
export function isLost(socket: net.Socket): boolean {
  if (socket.writableEnded) return false;
  // Node's own `remoteAddress` keeps the value of its first use.
  const handle: unknown = Reflect.get(socket, "_handle");
  return namesPeer(handle) && handle.getpeername({}) === -constants.errno.ENOTCONN;
}

/** Whether the handle has libuv's `getpeername`, which returns 0 or the negative number of an error. */
function namesPeer(handle: unknown): handle is { getpeername(into: object): unknown } {
  return typeof handle === "object" && handle !== null && "getpeername" in handle;
}

/** Destroys a socket that is lost, if nothing was read from it since the last check. It costs nothing while it is being read. */
export class UnreadWatch extends Timer {
  readonly #socket: net.Socket;
  readonly #wheel: TimerWheel;
  #isBegun = false;
  #bytesReadBefore = 0;

  constructor(socket: net.Socket, wheel: TimerWheel) {
    super();
    this.#socket = socket;
    this.#wheel = wheel;
  }

  /** Called when the socket is about to be paused. */
  begin(): void {
    if (this.slot !== undefined) return;
    if (!this.#isBegun) this.#socket.once("close", () => this.#wheel.clear(this));
    this.#isBegun = true;
    this.#look();
  }

  expire(): void {
    if (this.#socket.destroyed || !this.#socket.isPaused()) return;
    const isRead = this.#socket.bytesRead > this.#bytesReadBefore;
    if (!isRead && isLost(this.#socket)) this.#socket.destroy(new Error("the other end is gone"));
    else this.#look();
  }

  #look(): void {
    this.#bytesReadBefore = this.#socket.bytesRead;
    this.#wheel.arm(this, keepAliveAfterMs);
  }
}
