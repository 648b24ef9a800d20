/** What most layers are made of: an object that stands in both directions of one exchange and passes everything on. */

import type { MeshError } from "../../model/errors.ts";
import type { RequestSink, ResponseHead, ResponseSink } from "./exchange.ts";
import type { HeaderFields } from "./header-fields.ts";

/** Where the rest of a request goes that nobody waits for. */
export const nowhere: RequestSink = {
  writeRequest: () => true,
  endRequest: () => {},
  abortRequest: () => {},
  resumeResponse: () => {},
};

/**
 * Subclasses override what they are there for.
 *
 * The next service may answer before it returns: `attach` what it returned, and `detach` when the exchange is over
 * for what is below; whichever comes first, nothing is sent to who does not wait for it.
 */
export abstract class PassThrough implements RequestSink, ResponseSink {
  protected readonly above: ResponseSink;
  protected below: RequestSink | undefined;

  constructor(above: ResponseSink) {
    this.above = above;
  }

  attach(below: RequestSink): void {
    this.below ??= below;
  }

  /** From now on nothing goes down. */
  protected detach(): void {
    this.below = nowhere;
  }

  writeRequest(chunk: Buffer): boolean {
    return this.below?.writeRequest(chunk) ?? true;
  }

  endRequest(trailers?: HeaderFields): void {
    this.below?.endRequest(trailers);
  }

  abortRequest(error: MeshError): void {
    this.below?.abortRequest(error);
  }

  resumeResponse(): void {
    this.below?.resumeResponse();
  }

  informational(head: ResponseHead): void {
    this.above.informational(head);
  }

  head(head: ResponseHead): void {
    this.above.head(head);
  }

  writeResponse(chunk: Buffer): boolean {
    return this.above.writeResponse(chunk);
  }

  endResponse(trailers?: HeaderFields): void {
    this.above.endResponse(trailers);
  }

  abortResponse(error: MeshError): void {
    this.above.abortResponse(error);
  }

  resumeRequest(): void {
    this.above.resumeRequest();
  }
}
