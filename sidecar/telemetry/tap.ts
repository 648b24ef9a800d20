/**
 * A layer's object that watches one exchange and changes nothing: every call goes through as it came.
 * It is the one allocation a watching layer makes per request. It reports the end exactly once, whichever call brings it.
 */

import type { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";

/** How an exchange ended: with a whole answer, without one or with half of one, or because the caller went away. */
export type Ending = "answered" | "failed" | "abandoned";

export abstract class Tap implements RequestSink, ResponseSink {
  protected readonly exchange: Exchange;
  /** The status of the final head; 0 before it came. */
  protected status = 0;
  readonly #response: ResponseSink;
  #request: RequestSink | undefined;
  #ended = false;

  constructor(exchange: Exchange, response: ResponseSink) {
    this.exchange = exchange;
    this.#response = response;
  }

  /** Sends the exchange on, with this object between. */
  through(next: Service): RequestSink {
    this.#request = next(this.exchange, this);
    return this;
  }

  /** The final head is about to go up. */
  protected answered(_head: ResponseHead): void {}

  /** Called once. `error` is there unless the exchange was answered. */
  protected abstract ended(ending: Ending, error: MeshError | undefined): void;

  #end(ending: Ending, error: MeshError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.ended(ending, error);
  }

  writeRequest(chunk: Buffer): boolean {
    return this.#request?.writeRequest(chunk) ?? true;
  }

  endRequest(trailers?: HeaderFields): void {
    this.#request?.endRequest(trailers);
  }

  abortRequest(error: MeshError): void {
    this.#end("abandoned", error);
    this.#request?.abortRequest(error);
  }

  resumeResponse(): void {
    this.#request?.resumeResponse();
  }

  informational(head: ResponseHead): void {
    this.#response.informational(head);
  }

  head(head: ResponseHead): void {
    this.status = head.status;
    this.answered(head);
    this.#response.head(head);
  }

  writeResponse(chunk: Buffer): boolean {
    return this.#response.writeResponse(chunk);
  }

  endResponse(trailers?: HeaderFields): void {
    this.#end("answered", undefined);
    this.#response.endResponse(trailers);
  }

  abortResponse(error: MeshError): void {
    this.#end("failed", error);
    this.#response.abortResponse(error);
  }

  resumeRequest(): void {
    this.#response.resumeRequest();
  }
}
