/**
 * Finds out what a connection speaks from its first bytes, where no port was declared. It reads and never writes; what it
 * read is handed on. A client that stays silent is taken to wait for the server to speak first.
 */

import type net from "node:net";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

export type Detected = "http1" | "http2" | "tls" | "opaque";

const silenceMs = 300;
const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** The longest method that we know how to tell from other protocols' greetings, and the space behind it. */
const longestMethod = 24;
const tlsHandshake = 0x16;

/** Calls `found` once, unless the connection breaks before. The socket is paused then. `received` was read before. */
export function detect(
  socket: net.Socket,
  wheel: TimerWheel,
  found: (protocol: Detected, received: Buffer) => void,
  received: Buffer,
): void {
  const known = protocolOf(received);
  if (known !== undefined) return found(known, received);
  wheel.arm(new Detection(socket, wheel, found, received), silenceMs);
}

class Detection extends Timer {
  readonly #socket: net.Socket;
  readonly #wheel: TimerWheel;
  readonly #found: (protocol: Detected, received: Buffer) => void;
  #received: Buffer;

  constructor(
    socket: net.Socket,
    wheel: TimerWheel,
    found: (protocol: Detected, received: Buffer) => void,
    received: Buffer,
  ) {
    super();
    this.#received = received;
    this.#socket = socket;
    this.#wheel = wheel;
    this.#found = found;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    socket.on("error", ignore);
    socket.resume();
  }

  /** Silence. */
  expire(): void {
    this.#decide("opaque");
  }

  #onData = (chunk: Buffer): void => {
    this.#received = this.#received.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#received, chunk]);
    const protocol = protocolOf(this.#received);
    if (protocol !== undefined) this.#decide(protocol);
  };

  #onEnd = (): void => this.#decide("opaque");

  #onClose = (): void => {
    this.#wheel.clear(this);
    this.#letGo();
  };

  #decide(protocol: Detected): void {
    this.#wheel.clear(this);
    this.#socket.pause();
    this.#letGo();
    this.#found(protocol, this.#received);
  }

  #letGo(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onClose);
    this.#socket.off("error", ignore);
  }
}

function ignore(): void {}

/** Undefined: more bytes are needed. */
export function protocolOf(received: Buffer): Detected | undefined {
  if (received.length === 0) return undefined;
  if (received[0] === tlsHandshake) {
    if (received.length < 3) return undefined;
    return received[1] === 3 ? "tls" : "opaque";
  }
  const compared = Math.min(received.length, http2Preface.length);
  if (received.compare(http2Preface, 0, compared, 0, compared) === 0) {
    return received.length >= http2Preface.length ? "http2" : undefined;
  }
  return looksLikeHttp1(received);
}

/** A token in capitals and a space: no other protocol that clients begin greets so. */
function looksLikeHttp1(received: Buffer): "http1" | "opaque" | undefined {
  for (let i = 0; i < received.length && i <= longestMethod; i++) {
    const byte = received[i] as number;
    if (byte === 0x20) return i > 0 ? "http1" : "opaque";
    const isMethodByte = (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
    if (!isMethodByte) return "opaque";
  }
  return received.length > longestMethod ? "opaque" : undefined;
}
