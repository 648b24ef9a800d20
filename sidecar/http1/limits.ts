/** How much of one message this codec takes before it refuses, and how a refusal is told. */

import type { ErrorCode } from "../../model/errors.ts";

export interface Http1Limits {
  /** Start line and header section, in bytes; 431 if exceeded. */
  readonly headBytes: number;
  /** Fields in a header section; 431 if exceeded. */
  readonly fields: number;
  /** Request target, in bytes; 414 if exceeded. */
  readonly targetBytes: number;
  /** All chunk extensions of one message together, in bytes; 400 if exceeded. They are never forwarded. */
  readonly chunkExtensionBytes: number;
  /** Trailer section, in bytes; 431 if exceeded. The number of its fields is limited by `fields`. */
  readonly trailerBytes: number;
}

export const defaultLimits: Http1Limits = {
  headBytes: 32 * 1024,
  fields: 100,
  targetBytes: 8 * 1024,
  chunkExtensionBytes: 4 * 1024,
  trailerBytes: 8 * 1024,
};

/** Why a message was refused. Recognised by its class, because `in` would be a look-up per head. */
export class Refusal {
  readonly code: ErrorCode;
  /** A description for people, which contains no bytes of the message. */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string) {
    this.code = code;
    this.detail = detail;
  }
}

export function badRequest(detail: string): Refusal {
  return new Refusal("bad_request", detail);
}
