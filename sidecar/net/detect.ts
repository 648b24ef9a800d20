/**
 * Detects a connection's protocol from its first bytes, where no port declares it. It reads and never writes; what it has
 * read is handed on. A client that stays silent may be waiting for the server to speak: what to do then is not decided
 * here.
 */

import type net from "node:net";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

export type Detected = "http1" | "http2" | "tls" | "opaque";

/** How long a connection may leave its protocol undecided. */
export interface Patience {
  /** How long it may send nothing at all. */
  readonly silenceMs: number;
  /** How long its beginning may fit several protocols. */
  readonly beginningMs: number;
}

/** What is known about the clients of one port. Only certain knowledge is kept, and silence never is. */
export class SeenClients {
  /** One of them has spoken HTTP or TLS first: a silent one is hardly waiting for the server. */
  speakFirst = false;
}

const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** The longest method that we can tell from other protocols' greetings, and the space after it. */
const longestMethod = 24;
const longestLineBytes = 8 * 1024;
/** RFC 9110 §9, RFC 5789, and those of WebDAV, UPnP and caches that are in use. */
const knownMethods = new Set(
  (
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT " +
    "SEARCH ACL BIND REBIND UNBIND LINK UNLINK CHECKOUT MERGE MKACTIVITY MKCALENDAR M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE"
  ).split(" "),
);
const tlsHandshake = 0x16;

/**
 * Calls `found` once, unless the connection breaks before: with `undecided` when patience is at its end. The socket is
 * paused then. `received` was read before.
 */
export function detect(
  socket: net.Socket,
  wheel: TimerWheel,
  patience: Patience,
  found: (protocol: Detected | "undecided", received: Buffer) => void,
  received: Buffer,
): void {
  const known = protocolOf(received);
  if (known !== undefined) found(known, received);
  else new Detection(socket, wheel, patience, found, received).begin();
}

class Detection extends Timer {
  readonly #socket: net.Socket;
  readonly #wheel: TimerWheel;
  readonly #patience: Patience;
  readonly #found: (protocol: Detected | "undecided", received: Buffer) => void;
  #received: Buffer;

  constructor(
    socket: net.Socket,
    wheel: TimerWheel,
    patience: Patience,
    found: (protocol: Detected | "undecided", received: Buffer) => void,
    received: Buffer,
  ) {
    super();
    this.#received = received;
    this.#socket = socket;
    this.#wheel = wheel;
    this.#patience = patience;
    this.#found = found;
  }

  begin(): void {
    this.#await();
    this.#socket.on("data", this.#onData);
    this.#socket.on("end", this.#onEnd);
    this.#socket.on("close", this.#onClose);
    this.#socket.on("error", ignore);
    this.#socket.resume();
  }

  expire(): void {
    this.#decide("undecided");
  }

  #await(): void {
    const { silenceMs, beginningMs } = this.#patience;
    this.#wheel.arm(this, this.#received.length === 0 ? silenceMs : beginningMs);
  }

  #onData = (chunk: Buffer): void => {
    const isFirst = this.#received.length === 0;
    this.#received = isFirst ? Buffer.from(chunk) : Buffer.concat([this.#received, chunk]);
    const protocol = protocolOf(this.#received);
    if (protocol !== undefined) this.#decide(protocol);
    else if (isFirst) this.#await();
  };

  #onEnd = (): void => this.#decide("opaque");

  #onClose = (): void => {
    this.#wheel.clear(this);
    this.#letGo();
  };

  #decide(protocol: Detected | "undecided"): void {
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

/** Undefined: it needs more bytes. */
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

/** A method and a space. */
function looksLikeHttp1(received: Buffer): "http1" | "opaque" | undefined {
  for (let i = 0; i < received.length && i <= longestMethod; i++) {
    const byte = received[i] as number;
    if (byte === 0x20) return i > 0 ? judgeMethod(received, i) : "opaque";
    const isMethodByte = (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
    if (!isMethodByte) return "opaque";
  }
  return received.length > longestMethod ? "opaque" : undefined;
}

/**
 * Others greet in capitals too (`PROXY TCP4 …`, `NICK …`): with a method that nobody knows it takes the whole request
 * line.
 */
function judgeMethod(received: Buffer, end: number): "http1" | "opaque" | undefined {
  if (knownMethods.has(received.toString("latin1", 0, end))) return "http1";
  const lineEnd = received.indexOf("\n", end);
  if (lineEnd < 0) return received.length > longestLineBytes ? "opaque" : undefined;
  return received.subarray(end, lineEnd).includes(" HTTP/") ? "http1" : "opaque";
}
