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

/** Where the rest of an answer goes that nobody waits for. */
const nobody: ResponseSink = {
  informational: () => {},
  head: () => {},
  writeResponse: () => true,
  endResponse: () => {},
  abortResponse: () => {},
  resumeRequest: () => {},
};

/**
 * Subclasses override what they are there for.
 *
 * The next service may answer before it returns: `attach` what it returned. An abort from either side is the last call that
 * passes: a layer that makes one of its own calls `leave` first, so that what still comes after it reaches neither end.
 */
export abstract class PassThrough implements RequestSink, ResponseSink {
  protected above: ResponseSink;
  protected below: RequestSink | undefined;

  constructor(above: ResponseSink) {
    this.above = above;
  }

  attach(below: RequestSink): void {
    this.below ??= below;
  }

  /** The exchange is over here: from now on nothing goes up or down. */
  protected leave(): void {
    this.above = nobody;
    this.below = nowhere;
  }

  writeRequest(chunk: Buffer): boolean {
    return this.below?.writeRequest(chunk) ?? true;
  }

  endRequest(trailers?: HeaderFields): void {
    this.below?.endRequest(trailers);
  }

  abortRequest(error: MeshError): void {
    const { below } = this;
    this.leave();
    below?.abortRequest(error);
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
    const { above } = this;
    this.leave();
    above.abortResponse(error);
  }

  resumeRequest(): void {
    this.above.resumeRequest();
  }
}
