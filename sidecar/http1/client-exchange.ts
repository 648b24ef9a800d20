/**
 * One request on its way to the application, and the sink that takes its body.
 *
 * ```
 *   waiting ──(a connection)──▶ sending ──▶ ended        held ──▶ tunnel ──▶ ended     (upgrade, CONNECT)
 *      ▲                           │                       └─▶ ended: an ordinary answer
 *      └── the pool repeats it ────┘            any ──▶ over: answered, failed or aborted
 * ```
 */

import { MeshError } from "../../model/errors.ts";
import { readDecimal } from "../net/decimal.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import type { Outbox } from "../net/outbox.ts";
import { type Framing, writeChunk, writeLastChunk, writeRequestHead } from "./writer.ts";

/** What an exchange needs from the connection on which it is sent. */
export interface RequestConnection {
  readonly outbox: Outbox;
  /** The half of a tunnel that we write has ended. */
  endTunnel(): void;
  /** Cuts the current exchange: its connection can't be used any more. */
  abandon(error: MeshError): void;
  resumeReading(): void;
}

/** Bytes kept before there is a connection to send them on. Beyond this the caller is asked to stop. */
const maxEarlyBytes = 64 * 1024;
const expectsLength = new Set(["POST", "PUT", "PATCH"]);

export class ClientExchange implements RequestSink {
  readonly exchange: Exchange;
  readonly response: ResponseSink;
  /** Called if the caller gives up before a connection was found. */
  readonly #leaveQueue: ((exchange: ClientExchange) => void) | undefined;
  #connection: RequestConnection | undefined;
  #state: "waiting" | "sending" | "held" | "tunnel" | "ended" | "over" = "waiting";
  #framing: Framing = "none";
  #remaining = 0;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #endedEarly = false;
  #trailers: HeaderFields | undefined;

  constructor(exchange: Exchange, response: ResponseSink, leaveQueue?: (exchange: ClientExchange) => void) {
    this.exchange = exchange;
    this.response = response;
    this.#leaveQueue = leaveQueue;
  }

  /** Whether the whole request was passed to its connection. */
  get sent(): boolean {
    return this.#state === "ended" || (this.#state === "held" && this.#earlyBytes === 0);
  }

  /** Whether nobody waits for a response any more. */
  get over(): boolean {
    return this.#state === "over";
  }

  /** Sends the head, and what has arrived of the body. */
  start(connection: RequestConnection): void {
    this.#connection = connection;
    this.#frame();
    writeRequestHead(connection.outbox, this.exchange, this.#framing);
    const switches = this.exchange.upgrade !== undefined || this.exchange.method === "CONNECT";
    this.#state = switches ? "held" : "sending";
    if (!switches) this.#releaseEarly();
  }

  /** The connection died before the first byte of a response, and the request can be sent again. */
  restart(): void {
    this.#connection = undefined;
    this.#endedEarly = this.#state === "ended";
    this.#state = "waiting";
  }

  openTunnel(): void {
    if (this.#state !== "held") return;
    this.#state = "tunnel";
    this.#releaseEarly();
  }

  writeRequest(chunk: Buffer): boolean {
    switch (this.#state) {
      case "waiting":
      case "held":
        this.#early.push(Buffer.from(chunk));
        this.#earlyBytes += chunk.length;
        return this.#earlyBytes < maxEarlyBytes;
      case "sending":
      case "tunnel":
        return this.#write(chunk);
      case "ended":
      case "over":
        return true;
    }
  }

  endRequest(trailers?: HeaderFields): void {
    switch (this.#state) {
      case "waiting":
      case "held":
        this.#endedEarly = true;
        this.#trailers = trailers;
        return;
      case "sending":
        return this.#end(trailers);
      case "tunnel":
        this.#state = "ended";
        return this.#connection?.endTunnel();
      case "ended":
      case "over":
        return;
    }
  }

  abortRequest(error: MeshError): void {
    if (this.#state === "over") return;
    const connection = this.#connection;
    this.finish();
    if (connection === undefined) this.#leaveQueue?.(this);
    else connection.abandon(error);
  }

  resumeResponse(): void {
    if (this.#state !== "over") this.#connection?.resumeReading();
  }

  /** The connection accepts bytes again. */
  drained(): void {
    if (this.#state === "sending" || this.#state === "tunnel") this.response.resumeRequest();
  }

  /** The response is complete, or was given up: nothing more is accepted. */
  finish(): void {
    this.#state = "over";
    this.#connection = undefined;
    this.#early = [];
  }

  fail(error: MeshError): void {
    if (this.#state === "over") return;
    this.finish();
    this.response.abortResponse(error);
  }

  #frame(): void {
    const { exchange } = this;
    const length = exchange.headers.get("content-length");
    if (exchange.upgrade !== undefined || exchange.method === "CONNECT") this.#framing = "none";
    else if (length !== undefined) {
      this.#framing = "length";
      this.#remaining = readDecimal(length);
    } else if (!exchange.bodyless) this.#framing = "chunked";
    else this.#framing = expectsLength.has(exchange.method) ? "empty" : "none";
  }

  #releaseEarly(): void {
    const early = this.#early;
    if (early.length > 0) {
      this.#early = [];
      this.#earlyBytes = 0;
      for (const chunk of early) if (!this.#over()) this.#write(chunk);
      if (!this.#endedEarly && this.#connection?.outbox.congested === false) this.response.resumeRequest();
    }
    if (this.#endedEarly && !this.#over()) this.endRequest(this.#trailers);
  }

  /** Reads the state again: a write may have ended the exchange. */
  #over(): boolean {
    return this.#state === "over";
  }

  #write(chunk: Buffer): boolean {
    const outbox = this.#connection?.outbox;
    if (outbox === undefined || chunk.length === 0) return true;
    if (this.#state === "tunnel") outbox.append(chunk);
    else if (this.#framing === "chunked") writeChunk(outbox, chunk);
    else if (chunk.length > this.#remaining) this.#breakOff("a request longer than its Content-Length");
    else {
      this.#remaining -= chunk.length;
      outbox.append(chunk);
    }
    return !outbox.congested;
  }

  #end(trailers: HeaderFields | undefined): void {
    if (this.#remaining > 0) return this.#breakOff("a request shorter than its Content-Length");
    if (this.#framing === "chunked" && this.#connection !== undefined)
      writeLastChunk(this.#connection.outbox, trailers);
    this.#state = "ended";
  }

  #breakOff(why: string): void {
    const error = new MeshError("bad_request", why);
    const connection = this.#connection;
    this.fail(error);
    connection?.abandon(error);
  }
}
