/** Takes a request while it is not known yet who will answer it: a destination is asked for, a connection is made. */

import type { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseSink, Service } from "./exchange.ts";
import type { HeaderFields } from "./header-fields.ts";

export class HeldRequest implements RequestSink {
  readonly exchange: Exchange;
  readonly #response: ResponseSink;
  #below: RequestSink | undefined;
  #held: Buffer[] = [];
  #ended = false;
  #trailers: HeaderFields | undefined;
  #gone = false;

  constructor(exchange: Exchange, response: ResponseSink) {
    this.exchange = exchange;
    this.#response = response;
  }

  /** The caller gave up, or was refused: nobody needs to answer any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Passes the request on, with what came of its body meanwhile. */
  release(service: Service): void {
    if (this.#gone || this.#below !== undefined) return;
    const below = service(this.exchange, this.#response);
    this.#below = below;
    let takesMore = true;
    for (const chunk of this.#held) takesMore = below.writeRequest(chunk);
    this.#held = [];
    if (this.#ended) below.endRequest(this.#trailers);
    else if (takesMore) this.#response.resumeRequest();
  }

  refuse(error: MeshError): void {
    if (this.#gone || this.#below !== undefined) return;
    this.#gone = true;
    this.#held = [];
    this.#response.abortResponse(error);
  }

  writeRequest(chunk: Buffer): boolean {
    if (this.#below !== undefined) return this.#below.writeRequest(chunk);
    if (!this.#gone) this.#held.push(Buffer.from(chunk));
    return this.#gone;
  }

  endRequest(trailers?: HeaderFields): void {
    if (this.#below !== undefined) return this.#below.endRequest(trailers);
    this.#ended = true;
    this.#trailers = trailers;
  }

  abortRequest(error: MeshError): void {
    if (this.#below !== undefined) return this.#below.abortRequest(error);
    this.#gone = true;
    this.#held = [];
  }

  resumeResponse(): void {
    this.#below?.resumeResponse();
  }
}
