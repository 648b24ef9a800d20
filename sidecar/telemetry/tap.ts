/**
 * A layer's object that watches one exchange and changes nothing: the only allocation of a watching layer per request. It
 * reports the end exactly once, whichever call brings it.
 */

import type { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { grpcStatusIn } from "../policy/grpc.ts";

/** How an exchange ended: with a whole answer, without one or with half of one, or because the caller went away. */
export type Ending = "answered" | "failed" | "abandoned";

export abstract class Tap extends PassThrough {
  protected readonly exchange: Exchange;
  /** The status of the final head; 0 before it came. */
  status = 0;
  /** How a gRPC call ended, if it said so. Known when `ended` is called. */
  grpcStatus: number | undefined;
  #ended = false;

  constructor(exchange: Exchange, above: ResponseSink) {
    super(above);
    this.exchange = exchange;
  }

  /** Sends the exchange on, with this object between. */
  through(next: Service): RequestSink {
    this.attach(next(this.exchange, this));
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

  override abortRequest(error: MeshError): void {
    this.#end("abandoned", error);
    super.abortRequest(error);
  }

  override head(head: ResponseHead): void {
    this.status = head.status;
    // Trailers-only; else it is in the trailers.
    if (head.bodyless) this.grpcStatus = grpcStatusIn(head.headers);
    this.answered(head);
    super.head(head);
  }

  override endResponse(trailers?: HeaderFields): void {
    if (trailers !== undefined) this.grpcStatus = grpcStatusIn(trailers) ?? this.grpcStatus;
    this.#end("answered", undefined);
    super.endResponse(trailers);
  }

  override abortResponse(error: MeshError): void {
    this.#end("failed", error);
    super.abortResponse(error);
  }
}
