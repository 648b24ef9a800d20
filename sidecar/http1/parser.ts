/**
 * Incremental parsers for the messages of one direction of a connection, one message at a time.
 *
 * ```
 *   head ──▶ body ──▶ complete ──(next)──▶ head          head, body ──▶ refused
 *     └── no body ───────▲
 * ```
 *
 * They report to a listener and know nothing of sockets, timers or the other direction.
 */

import type { HeaderFields } from "../net/header-fields.ts";
import { ChunkedDecoder } from "./chunked.ts";
import { type HeadKind, HeadScanner, needsMore, refused } from "./head-scanner.ts";
import { isRefusal } from "./header-section.ts";
import { type Http1Limits, Refusal } from "./limits.ts";
import { type BodyLength, type ReceivedRequest, readRequestHead } from "./request-head.ts";
import { type AskedRequest, nothingAsked, type ReceivedResponse, readResponseHead } from "./response-head.ts";

/** Receives what a parser finds. Any call may stop the parser. */
export interface MessageListener<Head> {
  receiveHead(head: Head): void;
  /** Valid during the call. */
  receiveBody(chunk: Buffer): void;
  receiveEnd(trailers: HeaderFields | undefined): void;
  refuse(refusal: Refusal): void;
}

export type ParserPhase = "head" | "body" | "complete" | "refused" | "stopped";

abstract class MessageParser<Head extends { readonly bodyLength: BodyLength }> {
  phase: ParserPhase = "head";
  /** While a head or an end is reported: how many bytes that were read with the message don't belong to it. */
  surplusBytes = 0;
  readonly #scanner: HeadScanner;
  readonly #listener: MessageListener<Head>;
  readonly #limits: Http1Limits;
  #chunked: ChunkedDecoder | undefined;
  /** How many body bytes are still to come; infinite if the body lasts until the connection closes. */
  #remaining = 0;

  /** A listener that has stopped the parser gets nothing more, even if its decoder still has data. */
  readonly #takeData = (chunk: Buffer): void => {
    if (this.phase === "body") this.#listener.receiveBody(chunk);
  };

  constructor(kind: HeadKind, limits: Http1Limits, listener: MessageListener<Head>) {
    this.#scanner = new HeadScanner(kind, limits);
    this.#limits = limits;
    this.#listener = listener;
  }

  protected abstract parse(scanner: HeadScanner): Head | Refusal;

  /** Whether another head follows this one, and no body. */
  protected isInformational(_head: Head): boolean {
    return false;
  }

  /** Decides whose fault a refused message is. */
  protected blame(refusal: Refusal): Refusal {
    return refusal;
  }

  /** Whether part of a head has arrived. */
  get insideHead(): boolean {
    return this.phase === "head" && this.#scanner.started;
  }

  /** Whether the body ends with the connection. */
  get untilClose(): boolean {
    return this.phase === "body" && this.#chunked === undefined && this.#remaining === Number.POSITIVE_INFINITY;
  }

  /** Reads from an offset. Returns the offset of the first byte that it did not consume: what follows a complete message. */
  read(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && (this.phase === "head" || this.phase === "body"))
      at = this.phase === "head" ? this.#readHead(chunk, at) : this.#readBody(chunk, at);
    return at;
  }

  /** Gets ready for the message after the complete one. */
  next(): void {
    this.phase = "head";
  }

  /** Accepts no more bytes. */
  stop(): void {
    this.phase = "stopped";
  }

  /** The connection was closed. Returns true if that completes the message. */
  close(): boolean {
    if (!this.untilClose) return false;
    this.#complete(undefined, 0);
    return true;
  }

  #readHead(chunk: Buffer, from: number): number {
    const scanner = this.#scanner;
    const end = scanner.read(chunk, from);
    if (end === needsMore) return chunk.length;
    const head = end === refused ? (scanner.refusal as Refusal) : this.parse(scanner);
    scanner.reset();
    if (isRefusal(head)) return this.#refuse(head, chunk);
    this.surplusBytes = 0;
    if (!this.isInformational(head)) this.#frame(head.bodyLength, chunk.length - end);
    this.#listener.receiveHead(head);
    if (this.phase === "body" && this.#remaining === 0) this.#complete(undefined, chunk.length - end);
    return end;
  }

  /** `bytesBehind`: how many bytes after the head have already arrived. */
  #frame(bodyLength: BodyLength, bytesBehind: number): void {
    this.phase = "body";
    this.#chunked = undefined;
    this.#remaining = Number.POSITIVE_INFINITY;
    if (bodyLength === "chunked") this.#chunked = new ChunkedDecoder(this.#limits, this.#takeData);
    else if (bodyLength !== "until-close") {
      this.#remaining = bodyLength;
      this.surplusBytes = Math.max(0, bytesBehind - bodyLength);
    }
  }

  #readBody(chunk: Buffer, from: number): number {
    if (this.#chunked !== undefined) return this.#readChunked(this.#chunked, chunk, from);
    const end = Math.min(chunk.length, from + this.#remaining);
    this.#remaining -= end - from;
    this.#listener.receiveBody(from === 0 && end === chunk.length ? chunk : chunk.subarray(from, end));
    if (this.phase === "body" && this.#remaining === 0) this.#complete(undefined, chunk.length - end);
    return end;
  }

  #readChunked(decoder: ChunkedDecoder, chunk: Buffer, from: number): number {
    const end = decoder.read(chunk, from);
    if (this.phase !== "body" || end === needsMore) return chunk.length;
    if (end === refused) return this.#refuse(decoder.refusal as Refusal, chunk);
    this.#complete(decoder.trailers, chunk.length - end);
    return end;
  }

  #complete(trailers: HeaderFields | undefined, surplusBytes: number): void {
    this.phase = "complete";
    this.surplusBytes = surplusBytes;
    this.#chunked = undefined;
    this.#listener.receiveEnd(trailers);
  }

  #refuse(refusal: Refusal, chunk: Buffer): number {
    this.phase = "refused";
    this.#listener.refuse(this.blame(refusal));
    return chunk.length;
  }
}

export class RequestParser extends MessageParser<ReceivedRequest> {
  constructor(limits: Http1Limits, listener: MessageListener<ReceivedRequest>) {
    super("request", limits, listener);
  }

  protected parse(scanner: HeadScanner): ReceivedRequest | Refusal {
    return readRequestHead(scanner);
  }
}

/** A 1xx other than 101 is reported as a head, and the parser continues with the next one. */
export class ResponseParser extends MessageParser<ReceivedResponse> {
  /**
   * The request that the next response answers. An idle connection has none: one would keep everything of its last request
   * alive.
   */
  asked: AskedRequest = nothingAsked;

  constructor(limits: Http1Limits, listener: MessageListener<ReceivedResponse>) {
    super("response", limits, listener);
  }

  protected parse(scanner: HeadScanner): ReceivedResponse | Refusal {
    return readResponseHead(scanner, this.asked);
  }

  protected override isInformational({ status, switches }: ReceivedResponse): boolean {
    return status < 200 && !switches;
  }

  protected override blame(refusal: Refusal): Refusal {
    return new Refusal("bad_response", refusal.detail);
  }
}
