/**
 * A stream at the server's end: a request from the peer, and the answer that a service gives through `ResponseSink`.
 * Upgrades travel as extended CONNECT (RFC 8441): the service says 101, the peer reads 200.
 */

import { type ErrorCode, MeshError } from "../../model/errors.ts";
import { Exchange, type RequestSink, type ResponseHead, type ResponseSink, type Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { declinedUpgrade } from "../net/upgrade.ts";
import type { Field } from "./field.ts";
import { type Http2ErrorName, nameOfError } from "./frames.ts";
import { type ReceivedRequest, readTrailers } from "./headers.ts";
import type { Decoded } from "./hpack/decoder.ts";
import { Http2Stream, type StreamHost } from "./stream.ts";

/** What a server stream needs from its connection beyond what every stream needs. */
export interface ServerStreamHost extends StreamHost {
  readonly maxHeaderFields: number;
  /** The peer broke the rules on this stream. */
  refuseStream(streamId: number, error: Http2ErrorName, reason: string): void;
}

/**
 * Streams that are reset later than this cost no more than streams that are answered, because the number of streams at a time is
 * limited: 256 make at most 2,560 requests a second. Callers whose requests time out are not attackers.
 */
const youngMs = 100;

/**
 * How far the response has got:
 * ```
 *   awaited ──head──▶ begun ──end──▶ complete
 *      └───────────────┴──abort by either side, loss──▶ dropped
 * ```
 */
type Answer = "awaited" | "begun" | "complete" | "dropped";

export class ServerStream extends Http2Stream implements ResponseSink {
  readonly #host: ServerStreamHost;
  readonly #exchange: Exchange;
  #answer: Answer = "awaited";
  #isRequestComplete: boolean;
  #isTunnel = false;
  readonly #openedAtMs: number;
  /** Undefined while the service is being called. */
  #sink: RequestSink | undefined;
  /** Why the request can't continue, if that was found out while the service was being called. */
  #loss: MeshError | undefined;

  constructor(host: ServerStreamHost, id: number, sendWindowBytes: number, received: ReceivedRequest) {
    super(host, id, sendWindowBytes);
    this.#host = host;
    this.#openedAtMs = host.clock.now();
    this.#exchange = new Exchange(received);
    this.#isRequestComplete = received.bodyless;
    if (received.contentLength >= 0) this.announce(received.contentLength);
    if (received.bodyless) this.state = "half-closed-remote";
  }

  get isYoung(): boolean {
    return this.#host.clock.now() - this.#openedAtMs < youngMs;
  }

  /** Hands the request to the service. It may answer, or abort, before it returns. */
  start(service: Service): void {
    const sink = service(this.#exchange, this);
    this.#sink = sink;
    if (this.#loss !== undefined) sink.abortRequest(this.#loss);
    else if (this.#isRequestComplete && this.#answer !== "dropped") sink.endRequest();
  }

  receiveHeaders(fields: readonly Field[], decoded: Decoded, endStream: boolean): void {
    if (!endStream || decoded !== "ok" || this.#isTunnel) return this.refuse("a second header section");
    const trailers = readTrailers(fields, this.#host.maxHeaderFields);
    if (typeof trailers === "string") return this.refuse("malformed trailers");
    this.receiveEnd(trailers);
  }

  protected deliver(chunk: Buffer): boolean {
    return this.#sink?.writeRequest(chunk) ?? true;
  }

  protected deliverEnd(trailers: HeaderFields | undefined): void {
    this.#isRequestComplete = true;
    this.#sink?.endRequest(trailers);
  }

  protected resumeWriter(): void {
    this.#sink?.resumeResponse();
  }

  /**
   * The response is complete before the request: nobody needs the rest of it (RFC 9113 §8.1). In a tunnel each direction ends on
   * its own.
   */
  protected onSendingEnded(): void {
    this.#answer = "complete";
    if (this.#isTunnel) return;
    this.reset("NO_ERROR");
    this.#abortRequest(new MeshError("upstream_reset", "the answer was complete before the request"));
  }

  protected refuse(reason: string): void {
    this.#host.refuseStream(this.id, "PROTOCOL_ERROR", reason);
  }

  /** A tunnel may be silent for as long as its ends like: its purpose is not known here. */
  giveUp(): boolean {
    if (this.#isTunnel) return false;
    this.reset("CANCEL");
    this.lose(new MeshError("answer_not_taken", "the caller takes no response bytes"));
    return true;
  }

  receiveReset(code: number): void {
    this.close("reset-there");
    this.lose(new MeshError("upstream_reset", `the caller reset the stream: ${nameOfError(code)}`));
  }

  lose(error: MeshError): void {
    this.close("reset-there");
    this.#abortRequest(error);
  }

  /** Tells the service, unless it already knows or has nothing left to do. */
  #abortRequest(error: MeshError): void {
    if (this.#answer === "dropped" || (this.#answer === "complete" && this.#isRequestComplete)) return;
    this.#answer = "dropped";
    if (this.#sink === undefined) this.#loss = error;
    else this.#sink.abortRequest(error);
  }

  // ---- ResponseSink

  informational(head: ResponseHead): void {
    if (this.#answer !== "awaited" || this.state === "closed") return;
    this.host.sendHeaders(this.id, [":status", String(head.status)], head.headers, false);
  }

  head(head: ResponseHead): void {
    if (this.#answer !== "awaited" || this.state === "closed") return;
    const { upgrade, method } = this.#exchange;
    const switches = head.status === 101;
    if (switches && upgrade === undefined) return this.#refuseAnswer(head.status);
    this.#answer = "begun";
    this.#isTunnel = switches || (method === "CONNECT" && head.status < 300);
    const endStream = head.bodyless && !this.#isTunnel;
    const declines = upgrade !== undefined && !switches && head.status < 300;
    if (declines) head.headers.set(declinedUpgrade.field, String(head.status));
    const status = switches ? "200" : declines ? declinedUpgrade.status : String(head.status);
    this.host.sendHeaders(this.id, [":status", status], head.headers, endStream);
    if (endStream) this.#complete();
  }

  /** The upstream's response can't be carried by HTTP/2: the caller gets a 502 instead, and the upstream is told to stop. */
  #refuseAnswer(status: number): void {
    const error = new MeshError("bad_response", `status ${status} in answer to ${this.#exchange.method}`);
    this.host.sendHeaders(this.id, [":status", "502"], new HeaderFields(["tulle-error", error.code]), true);
    this.markSent();
    this.#abortRequest(error);
  }

  #complete(): void {
    this.#answer = "complete";
    this.markSent();
  }

  writeResponse(chunk: Buffer): boolean {
    return this.send(chunk);
  }

  endResponse(trailers?: HeaderFields): void {
    if (this.#answer !== "begun") return;
    this.#answer = "complete";
    this.sendEnd(trailers);
  }

  abortResponse(error: MeshError): void {
    if (this.#answer === "dropped" || this.#answer === "complete") return;
    const untouched = this.#answer === "awaited" && error.processed === "unprocessed";
    this.#answer = "dropped";
    this.reset(untouched ? "REFUSED_STREAM" : this.#resetCodeOf(error));
  }

  resumeRequest(): void {
    this.resumeReceiving();
  }

  #resetCodeOf(error: MeshError): Http2ErrorName {
    if (timeouts.has(error.code)) return "CANCEL";
    // The TCP connection of a CONNECT broke (RFC 9113 §8.5).
    return this.#isTunnel && this.#exchange.method === "CONNECT" ? "CONNECT_ERROR" : "INTERNAL_ERROR";
  }
}

/** gRPC reads CANCEL as CANCELLED and INTERNAL_ERROR as INTERNAL: a timeout is not the application's fault. */
const timeouts = new Set<ErrorCode>(["deadline_exceeded", "idle_timeout", "request_timeout", "try_timeout"]);
