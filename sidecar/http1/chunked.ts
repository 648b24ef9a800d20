/**
 * Takes chunked framing off a body (RFC 9112 §7.1), fed in pieces cut anywhere.
 *
 * ```
 *   size ─▶ [ext-name ─▶ ext-value-start ─▶ ext-token | ext-quoted ⇄ ext-escaped ─▶ ext-after] ─▶ size-lf ─┐
 *    ▲                                                                          size > 0 │       size = 0 │
 *    └── data-lf ◀── data-cr ◀── data ◀───────────────────────────────────────────────────┘   trailers ◀─────┘
 * ```
 *
 * No whitespace beside the size, no bare LF, no size above 2^53; extensions are checked, bounded and dropped.
 */

import type { HeaderFields } from "../net/header-fields.ts";
import { BACKSLASH, CR, EQUALS, hexValues, LF, QUOTE, SEMICOLON, tokenBytes, valueBytes } from "./bytes.ts";
import { HeadScanner, needsMore, refused } from "./head-scanner.ts";
import { readTrailers } from "./header-section.ts";
import { badRequest, type Http1Limits, type Refusal } from "./limits.ts";

type ExtensionState = "ext-name" | "ext-value-start" | "ext-token" | "ext-quoted" | "ext-escaped" | "ext-after";

type State = ExtensionState | "size" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers";

/** Twelve hexadecimal digits are 2^48: more than any body, and exact as a number. */
const longestSizeDigits = 12;

export class ChunkedDecoder {
  readonly #limits: Http1Limits;
  readonly #body: (chunk: Buffer) => void;
  #state: State = "size";
  #digits = 0;
  #remaining = 0;
  #nameBytes = 0;
  #extensionBytes = 0;
  #trailerScanner: HeadScanner | undefined;

  refusal: Refusal | undefined;
  trailers: HeaderFields | undefined;

  /** `body` gets each piece of data; the piece is valid only during the call. */
  constructor(limits: Http1Limits, body: (chunk: Buffer) => void) {
    this.#limits = limits;
    this.#body = body;
  }

  /** Returns the offset after the body's last byte, `needsMore`, or `refused`: see `refusal`. */
  read(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.#state === "data") {
        const end = Math.min(chunk.length, at + this.#remaining);
        this.#remaining -= end - at;
        if (this.#remaining === 0) this.#state = "data-cr";
        this.#body(chunk.subarray(at, end));
        at = end;
      } else if (this.#state === "trailers") {
        return this.#readTrailers(chunk, at);
      } else {
        const why = this.#step(chunk[at] as number);
        if (why !== undefined) return this.#refuse(badRequest(why));
        at++;
      }
    }
    return needsMore;
  }

  #refuse(refusal: Refusal): typeof refused {
    this.refusal = refusal;
    return refused;
  }

  /** Consumes one byte of framing. Returns what is wrong with it, if anything. */
  #step(byte: number): string | undefined {
    switch (this.#state) {
      case "size":
        return this.#readSize(byte);
      case "size-lf":
        if (byte !== LF) return "CR without LF";
        this.#state = this.#remaining === 0 ? "trailers" : "data";
        return undefined;
      case "data-cr":
        if (byte !== CR) return "chunk longer than its size";
        this.#state = "data-lf";
        return undefined;
      case "data-lf":
        if (byte !== LF) return "CR without LF";
        this.#state = "size";
        this.#digits = 0;
        return undefined;
      case "data":
      case "trailers":
        return undefined;
      case "ext-name":
      case "ext-value-start":
      case "ext-token":
      case "ext-quoted":
      case "ext-escaped":
      case "ext-after":
        if (++this.#extensionBytes > this.#limits.chunkExtensionBytes) return "chunk extensions too long";
        return this.#readExtension(this.#state, byte);
    }
  }

  #readSize(byte: number): string | undefined {
    const digit = hexValues[byte] as number;
    if (digit !== 255) {
      if (++this.#digits > longestSizeDigits) return "chunk size too large";
      this.#remaining = this.#remaining * 16 + digit;
      return undefined;
    }
    if (this.#digits === 0) return "malformed chunk size";
    return this.#endExtension(byte, "malformed chunk size");
  }

  #readExtension(state: ExtensionState, byte: number): string | undefined {
    const malformed = "malformed chunk extension";
    const token = tokenBytes[byte] === 1;
    switch (state) {
      case "ext-name":
        if (token) {
          this.#nameBytes++;
          return undefined;
        }
        if (this.#nameBytes === 0) return malformed;
        if (byte !== EQUALS) return this.#endExtension(byte, malformed);
        this.#state = "ext-value-start";
        return undefined;
      case "ext-value-start":
        if (!token && byte !== QUOTE) return malformed;
        this.#state = token ? "ext-token" : "ext-quoted";
        return undefined;
      case "ext-token":
        return token ? undefined : this.#endExtension(byte, malformed);
      case "ext-quoted":
        if (valueBytes[byte] !== 1) return malformed;
        if (byte === QUOTE) this.#state = "ext-after";
        else if (byte === BACKSLASH) this.#state = "ext-escaped";
        return undefined;
      case "ext-escaped":
        if (valueBytes[byte] !== 1) return malformed;
        this.#state = "ext-quoted";
        return undefined;
      case "ext-after":
        return this.#endExtension(byte, malformed);
    }
  }

  /** After a size or an extension comes the next extension, or the end of the line. */
  #endExtension(byte: number, otherwise: string): string | undefined {
    if (byte === SEMICOLON) {
      this.#state = "ext-name";
      this.#nameBytes = 0;
      return undefined;
    }
    if (byte !== CR) return otherwise;
    this.#state = "size-lf";
    return undefined;
  }

  #readTrailers(chunk: Buffer, from: number): number {
    this.#trailerScanner ??= new HeadScanner("trailers", this.#limits);
    const scanner = this.#trailerScanner;
    const end = scanner.read(chunk, from);
    if (end >= 0) this.trailers = readTrailers(scanner);
    else if (end === refused) this.refusal = scanner.refusal;
    return end;
  }
}
