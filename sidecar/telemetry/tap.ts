/**
 * A layer's object that watches one exchange and changes nothing: the only allocation of a watching layer per request. It
 * reports the end exactly once, whichever call brings it.
 */

import type { MeshError } from "../../model/errors.ts";
import type { Exchange, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { grpcStatusIn } from "../policy/grpc.ts";

/** How an exchange ended: with a whole response; with no response or part of one; or because the caller left. */
export type Ending = "answered" | "failed" | "abandoned";

export abstract class Tap extends PassThrough {
  protected readonly exchange: Exchange;
  /** The status of the final head; 0 before it arrives. */
  status = 0;
  /** The status of a gRPC call, if it reported one. Known when `ended` is called. */
  grpcStatus: number | undefined;
  #ended = false;

  constructor(exchange: Exchange, above: ResponseSink) {
    super(above);
    this.exchange = exchange;
  }

  /** Passes the exchange on, with this object in between. */
  through(next: Service): RequestSink {
    this.attach(next(this.exchange, this));
    return this;
  }

  /** The final head is about to be passed up. */
  protected answered(_head: ResponseHead): void {}

  /** Called once. `error` is present unless the exchange was answered. */
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
    // A trailers-only response has it here; otherwise it comes in the trailers.
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
