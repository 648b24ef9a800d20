/** The base of most layers: an object that is in both directions of one exchange and passes everything on. */

import type { MeshError } from "../../model/errors.ts";
import type { RequestSink, ResponseHead, ResponseSink } from "./exchange.ts";
import type { HeaderFields } from "./header-fields.ts";

/** Drops the rest of a request that nobody waits for any more. */
export const nowhere: RequestSink = {
  writeRequest: () => true,
  endRequest: () => {},
  abortRequest: () => {},
  resumeResponse: () => {},
};

/** Drops the rest of a response that nobody waits for any more. */
const nobody: ResponseSink = {
  informational: () => {},
  head: () => {},
  writeResponse: () => true,
  endResponse: () => {},
  abortResponse: () => {},
  resumeRequest: () => {},
};

/**
 * Subclasses override the calls they care about.
 *
 * The next service may answer before it returns: pass what it returned to `attach`. An abort from either side is the last
 * call that is passed on. A layer that aborts on its own must call `leave` first, so that later calls reach neither end.
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

  /** Ends the exchange at this layer: nothing is passed up or down from now on. */
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
