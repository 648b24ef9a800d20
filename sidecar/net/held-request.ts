/** Accepts a request before it is known who will answer it: a destination is being looked up, or a connection opened. */

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
  /** The caller's abort, while there is nobody below to tell. */
  #abort: MeshError | undefined;
  #state: "held" | "releasing" | "released" | "gone" = "held";

  constructor(exchange: Exchange, response: ResponseSink) {
    this.exchange = exchange;
    this.#response = response;
  }

  /** The caller gave up, or was refused: no answer is needed any more. */
  get gone(): boolean {
    return this.#state === "gone";
  }

  /**
   * Passes the request on, with what has arrived of its body. The service may call back while it accepts that: further chunks
   * from the caller are then queued behind the earlier ones, and its abort waits until it can be passed on.
   */
  release(service: Service): void {
    if (this.#state !== "held") return;
    this.#state = "releasing";
    const below = service(this.exchange, this.#response);
    const held = this.#held;
    let takesMore = true;
    for (const chunk of held) if (this.#abort === undefined) takesMore = below.writeRequest(chunk);
    this.#held = [];
    this.#below = below;
    this.#state = "released";
    if (this.#abort !== undefined) below.abortRequest(this.#abort);
    else if (this.#ended) below.endRequest(this.#trailers);
    else if (takesMore && held.length > 0) this.#response.resumeRequest();
  }

  refuse(error: MeshError): void {
    if (this.#state !== "held") return;
    this.#state = "gone";
    this.#held = [];
    this.#response.abortResponse(error);
  }

  writeRequest(chunk: Buffer): boolean {
    if (this.#below !== undefined) return this.#below.writeRequest(chunk);
    if (this.#state === "gone" || this.#abort !== undefined) return true;
    this.#held.push(Buffer.from(chunk));
    return false;
  }

  endRequest(trailers?: HeaderFields): void {
    if (this.#below !== undefined) return this.#below.endRequest(trailers);
    this.#ended = true;
    this.#trailers = trailers;
  }

  abortRequest(error: MeshError): void {
    if (this.#below !== undefined) return this.#below.abortRequest(error);
    this.#abort = error;
    if (this.#state !== "held") return;
    this.#state = "gone";
    this.#held = [];
  }

  resumeResponse(): void {
    this.#below?.resumeResponse();
  }
}
