/**
 * A stream at the client's end: a request of ours through `RequestSink`, and the peer's answer.
 * An exchange with `upgrade` travels as extended CONNECT (RFC 8441): the peer says 2xx, the layers above read 101.
 */

import { MeshError } from "../../model/errors.ts";
import { Deadline } from "../net/deadline.ts";
import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { declinedUpgrade } from "../net/upgrade.ts";
import type { Closing } from "./closed-streams.ts";
import type { Field } from "./field.ts";
import { errorCode, nameOfError } from "./frames.ts";
import { type ReceivedResponse, readResponse, readTrailers, requestPseudo } from "./headers.ts";
import type { Decoded } from "./hpack/decoder.ts";
import { Http2Stream, type StreamHost } from "./stream.ts";

export interface ClientStreamHost extends StreamHost {
  readonly maxHeaderFields: number;
  /** True if what was written when `flushes` had this value is still here: the peer can't have seen it. */
  isUnsent(flushes: number): boolean;
  readonly flushes: number;
  noteRefused(): void;
  /** Whether one more request may be cancelled at once without the peer taking us for an attacker. */
  admitCancel(): boolean;
  /** Whether a request is lost if the peer takes next to nothing of it. */
  readonly losesStalled: boolean;
}

/** Cancelling a stream of this age doesn't look like a rapid reset to the peer: twice the age that our own server asks for. */
const grownUpMs = 200;

/** A response normally has a few; a server that sends one after the other would keep us busy for ever. */
const maxInformationals = 100;

/**
 * How far the response has got:
 * ```
 *   awaited ──head──▶ begun ──end──▶ complete
 *    │  ▲ 1xx            │
 *    └──┴────────────────┴──abort by either side, loss──▶ dropped
 * ```
 */
type Answer = "awaited" | "begun" | "complete" | "dropped";

export class ClientStream extends Http2Stream implements RequestSink {
  /** We opened it: the peer may reset it whenever it likes. */
  readonly isYoung = false;
  readonly #host: ClientStreamHost;
  readonly #exchange: Exchange;
  readonly #response: ResponseSink;
  #answer: Answer = "awaited";
  #flushesAtHead = 0;
  #informationals = 0;
  readonly #openedAtMs: number;
  /** Armed while a cancellation is delayed. */
  #cancel: Deadline | undefined;

  constructor(host: ClientStreamHost, id: number, sendWindowBytes: number, exchange: Exchange, response: ResponseSink) {
    super(host, id, sendWindowBytes);
    this.#host = host;
    this.#exchange = exchange;
    this.#response = response;
    this.#openedAtMs = host.clock.now();
  }

  /** Sends the head. */
  start(): void {
    const exchange = this.#exchange;
    const opensTunnel = exchange.upgrade !== undefined || exchange.method === "CONNECT";
    const endStream = exchange.bodyless && !opensTunnel;
    this.host.sendHeaders(this.id, requestPseudo(exchange), exchange.headers, endStream);
    this.#flushesAtHead = this.#host.flushes;
    if (endStream) this.markSent();
  }

  receiveHeaders(fields: readonly Field[], decoded: Decoded, endStream: boolean): void {
    if (decoded !== "ok") return this.refuse("a header section larger than the limit");
    if (this.#answer === "awaited") return this.#receiveHead(fields, endStream);
    if (this.#answer === "dropped") return endStream ? this.receiveEnd(undefined) : undefined;
    const trailers = readTrailers(fields, this.#host.maxHeaderFields);
    if (!endStream || typeof trailers === "string") return this.refuse("malformed trailers");
    this.receiveEnd(trailers);
  }

  #receiveHead(fields: readonly Field[], endStream: boolean): void {
    const received = readResponse(fields, this.#host.maxHeaderFields);
    if (typeof received === "string") return this.refuse("a malformed answer");
    const { status, headers } = received;
    if (status >= 200) return this.#receiveFinalHead(received, endStream);
    if (status === 101 || endStream) return this.refuse("an informational answer that ends, or switches protocols");
    if (++this.#informationals > maxInformationals) return this.refuse("informational answers without end");
    this.#response.informational({ status, headers, bodyless: true });
  }

  #receiveFinalHead(received: ReceivedResponse, endStream: boolean): void {
    const { headers, contentLength } = received;
    const { method, upgrade } = this.#exchange;
    const isTunnel = received.status < 300 && (upgrade !== undefined || method === "CONNECT");
    const status = upgrade === undefined ? received.status : statusToUpgrade(received);
    const neverHasBody = !isTunnel && (method === "HEAD" || status === 204 || status === 304);
    if (endStream && !neverHasBody && contentLength > 0) return this.refuse("less DATA than content-length");
    if (neverHasBody) this.announce(0);
    else if (contentLength >= 0 && !isTunnel) this.announce(contentLength);
    this.#answer = "begun";
    const bodyless = !isTunnel && (endStream || neverHasBody);
    this.#response.head({ status, headers, bodyless });
    if (endStream && this.canReceive) this.receiveEnd(undefined);
  }

  protected deliver(chunk: Buffer): boolean {
    if (this.#answer === "awaited") {
      this.refuse("DATA before the head");
      return true;
    }
    return this.#answer === "dropped" || this.#response.writeResponse(chunk);
  }

  override receiveEnd(trailers: HeaderFields | undefined): void {
    if (this.#answer === "awaited") this.refuse("an end before the head");
    else super.receiveEnd(trailers);
  }

  protected deliverEnd(trailers: HeaderFields | undefined): void {
    if (this.#answer === "dropped") return;
    this.#answer = "complete";
    this.#response.endResponse(trailers);
  }

  protected resumeWriter(): void {
    this.#response.resumeRequest();
  }

  protected onSendingEnded(): void {}

  protected refuse(reason: string): void {
    this.#host.noteRefused();
    this.reset("PROTOCOL_ERROR");
    this.#fail(new MeshError("bad_response", reason));
  }

  /**
   * An application may read a body slowly: policy limits how long. Once it has answered, nobody waits for it to read the rest.
   */
  giveUp(): boolean {
    if (!this.#host.losesStalled && !this.#isAnswered) return false;
    this.reset("CANCEL");
    this.#fail(new MeshError("idle_timeout", "the upstream takes no request bytes"));
    return true;
  }

  /** In a tunnel each direction ends on its own. */
  get #isAnswered(): boolean {
    const { method, upgrade } = this.#exchange;
    return this.#answer === "complete" && method !== "CONNECT" && upgrade === undefined;
  }

  receiveReset(code: number): void {
    this.close("reset-there");
    const name = nameOfError(code);
    if (code === errorCode.REFUSED_STREAM) {
      return this.#fail(
        new MeshError("refused_stream", "the upstream refused the stream", { processed: "unprocessed" }),
      );
    }
    this.#fail(new MeshError("upstream_reset", `the upstream reset the stream: ${name}`));
  }

  /** The connection is lost. */
  lose(error: MeshError): void {
    this.close("reset-there");
    if (!this.#host.isUnsent(this.#flushesAtHead)) return this.#fail(error);
    this.#fail(new MeshError(error.code, error.message, { cause: error.cause, processed: "unprocessed" }));
  }

  /** The peer's GOAWAY named an earlier stream as the last one. */
  loseUnprocessed(reason: string): void {
    this.close("reset-there");
    this.#fail(new MeshError("refused_stream", reason, { processed: "unprocessed" }));
  }

  #fail(error: MeshError): void {
    if (this.#answer === "complete" || this.#answer === "dropped") return;
    this.#answer = "dropped";
    this.#response.abortResponse(error);
  }

  // ---- RequestSink

  writeRequest(chunk: Buffer): boolean {
    return this.send(chunk);
  }

  endRequest(trailers?: HeaderFields): void {
    this.sendEnd(trailers);
  }

  abortRequest(_error: MeshError): void {
    this.#answer = "dropped";
    this.#cancelSoon();
  }

  /**
   * A link carries the requests of many callers, and must not be closed because one of them keeps opening and cancelling. A
   * cancellation that comes too early waits until it no longer is a rapid reset; the response is read and dropped.
   */
  #cancelSoon(): void {
    const ageMs = this.host.clock.now() - this.#openedAtMs;
    if (this.state === "closed" || ageMs >= grownUpMs || this.#host.admitCancel()) return this.reset("CANCEL");
    this.#cancel = new Deadline(() => this.reset("CANCEL"));
    this.host.timers.arm(this.#cancel, grownUpMs - ageMs);
  }

  protected override close(closing: Closing): void {
    if (this.#cancel !== undefined) this.host.timers.clear(this.#cancel);
    super.close(closing);
  }

  resumeResponse(): void {
    this.resumeReceiving();
  }
}

/** The status that the layers above read: 101 for a switch; for a response that declined one, the status it had before HTTP/2. */
function statusToUpgrade({ status, headers }: ReceivedResponse): number {
  if (status < 300) return 101;
  const own = headers.get(declinedUpgrade.field);
  headers.remove(declinedUpgrade.field);
  return String(status) === declinedUpgrade.status && own !== undefined && /^2[0-9][0-9]$/.test(own)
    ? Number(own)
    : status;
}
