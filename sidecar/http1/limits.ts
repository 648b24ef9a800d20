/** How much of one message this codec takes before it refuses, and how a refusal is told. */

import type { ErrorCode } from "../../model/errors.ts";

export interface Http1Limits {
  /** Start line and header section, in bytes; 431 above. */
  readonly headBytes: number;
  /** Fields in a header section; 431 above. */
  readonly fields: number;
  /** Request target, in bytes; 414 above. */
  readonly targetBytes: number;
  /** Chunk extensions of one message together, in bytes; 400 above. They are never forwarded. */
  readonly chunkExtensionBytes: number;
  /** Trailer section, in bytes; 431 above. Fields are bounded by `fields`. */
  readonly trailerBytes: number;
}

export const defaultLimits: Http1Limits = {
  headBytes: 32 * 1024,
  fields: 100,
  targetBytes: 8 * 1024,
  chunkExtensionBytes: 4 * 1024,
  trailerBytes: 8 * 1024,
};

/** Why a message was not taken. Known by its class: `in` would be a look-up for each head. */
export class Refusal {
  readonly code: ErrorCode;
  /** For people, without bytes of the message. */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string) {
    this.code = code;
    this.detail = detail;
  }
}

export function badRequest(detail: string): Refusal {
  return new Refusal("bad_request", detail);
}
