/**
 * Finds the start line, the fields and the end of one head (or trailer section) in bytes that may be split anywhere.
 *
 * It records offsets and checks every byte, except in lines that are the same as in the previous head (`remembered-lines.ts`).
 * It makes no strings: `request-head.ts`, `response-head.ts` and `header-section.ts` make those that they need. A head that
 * arrives in one read is never copied.
 *
 * ```
 *   start ─▶ method ─▶ target ─▶ rest ─▶ start-lf ─▶ line ─▶ name ─▶ before-value ─▶ value ─▶ value-lf ─┐
 *    ▲ └────── a response ──────▶┘                   ▲ └─ CR ─▶ end-lf ─▶ done                             │
 *    └ leading-lf: one CRLF before a request         └─────────────────────────────────────────────────────┘
 * ```
 *
 * Refused here: bare CR and LF, obs-fold, whitespace around names, empty and non-token names, control bytes, HTTP/0.9.
 */

import { COLON, CR, HASH, HTAB, LF, SP, targetBytes, tokenBytes, valueBytes } from "./bytes.ts";
import { hashNameByte, internName } from "./field-names.ts";
import { badRequest, type Http1Limits, Refusal } from "./limits.ts";
import { maxPositions, RememberedLines } from "./remembered-lines.ts";

/** What the fields belong to. */
export type HeadKind = "request" | "response" | "trailers";

/** `read` has consumed all bytes and needs more. */
export const needsMore = -1;
/** `read` found something that is refused: see `refusal`. */
export const refused = -2;

type StartState = "start" | "leading-lf" | "method" | "target" | "rest" | "start-lf" | "done";
type FieldState = "line" | "name" | "before-value" | "value" | "value-lf" | "end-lf";

/** Numbers per field in `table`: offsets of the name, the colon, the value and its end; index of the interned name. */
export const fieldStride = 5;
const longestMethodBytes = 32;
const httpVersion = Buffer.from("HTTP/1.");
const noBytes = Buffer.alloc(0);
const emptyLineBytes = 2;

export class HeadScanner {
  readonly #kind: HeadKind;
  readonly #limits: Http1Limits;
  readonly #maxBytes: number;
  #startLine: StartState = "start";
  #fields: FieldState = "line";
  #leadingLines = 0;
  /** Collects a head that arrives in several reads. */
  #held: Buffer = noBytes;
  #heldBytes = 0;
  #nameHash = 0;

  /** Where the scanned head is; valid until the next read. All offsets are relative to `base`. */
  bytes: Buffer = noBytes;
  base = 0;
  /** Where the head starts: after an empty line that was skipped. */
  headStart = 0;
  methodEnd = 0;
  targetEnd = 0;
  startLineEnd = 0;
  headEnd = 0;
  fieldCount = 0;
  table: Uint32Array = new Uint32Array(24 * fieldStride);
  /** The field lines of the previous head; undefined for trailers. */
  readonly lines: RememberedLines | undefined;
  /** Bit i: field i is the same as the remembered line at that position. */
  remembered = 0;
  refusal: Refusal | undefined;

  constructor(kind: HeadKind, limits: Http1Limits) {
    this.#kind = kind;
    this.#limits = limits;
    this.#maxBytes = kind === "trailers" ? limits.trailerBytes : limits.headBytes;
    if (kind !== "trailers") this.lines = new RememberedLines();
    this.reset();
  }

  /** Whether part of a head has been read. An empty line before it doesn't count: some clients send one after a body. */
  get started(): boolean {
    return this.#heldBytes > 0 && this.#startLine !== "start" && this.#startLine !== "leading-lf";
  }

  /**
   * The text between two offsets, as latin1. It is a string of its own, not a slice of the whole head: V8 is slower at
   * comparing, hashing and writing slices, and each of these strings is compared, hashed and written several times.
   */
  text(from: number, to: number): string {
    return this.bytes.toString("latin1", this.base + from, this.base + to);
  }

  /** Resets for the next head, and releases all bytes. */
  reset(): void {
    this.#startLine = this.#kind === "trailers" ? "done" : "start";
    this.#fields = "line";
    this.#leadingLines = 0;
    this.#held = noBytes;
    this.#heldBytes = 0;
    this.bytes = noBytes;
    this.fieldCount = 0;
    this.remembered = 0;
    this.refusal = undefined;
  }

  /** Scans from an offset of `chunk`. Returns the offset after the head, `needsMore`, or `refused`. */
  read(chunk: Buffer, from: number): number {
    const heldBefore = this.#heldBytes;
    const resumed = heldBefore > 0;
    if (resumed) this.#hold(chunk, from);
    this.bytes = resumed ? this.#held : chunk;
    this.base = resumed ? 0 : from;
    const available = resumed ? this.#heldBytes : chunk.length - from;
    const limited = Math.min(available, this.#maxBytes);
    const end = this.#scan(this.bytes, this.base, this.base + heldBefore, this.base + limited);
    if (end >= 0) {
      this.headEnd = end - this.base;
      return from + this.headEnd - heldBefore;
    }
    if (end === refused) return refused;
    if (limited >= this.#maxBytes) return this.#refuse(new Refusal("head_too_large", "header section too long"));
    if (!resumed) this.#hold(chunk, from);
    return needsMore;
  }

  #hold(chunk: Buffer, from: number): void {
    const length = Math.min(chunk.length - from, this.#maxBytes - this.#heldBytes);
    const needed = this.#heldBytes + length;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(512, needed * 2), Math.max(this.#maxBytes, needed)));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldBytes, from, from + length);
    this.#heldBytes = needed;
  }

  #refuse(refusal: Refusal): typeof refused {
    this.refusal = refusal;
    return refused;
  }

  #scan(bytes: Buffer, base: number, from: number, to: number): number {
    const at = this.#startLine === "done" ? from : this.#scanStartLine(bytes, base, from, to);
    return at < 0 ? at : this.#scanFields(bytes, base, at, to);
  }

  /**
   * Returns the offset after the start line, `needsMore`, or `refused`. Here and in `#scanFields` an inner loop per state goes
   * through the long parts (names, values, targets) without checking the state.
   */
  #scanStartLine(bytes: Buffer, base: number, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      switch (this.#startLine) {
        case "start":
          if (bytes[at] === CR && this.#kind === "request" && this.#leadingLines++ === 0) {
            this.#startLine = "leading-lf";
            break;
          }
          this.headStart = at - base;
          this.#startLine = this.#kind === "request" ? "method" : "rest";
          at--; // the same byte again
          break;
        case "leading-lf":
          if (bytes[at] !== LF) return this.#refuse(badRequest("CR without LF"));
          this.#startLine = "start";
          break;
        case "method":
          while (at < to && tokenBytes[bytes[at] as number] === 1) at++;
          if (!this.#endMethod(at === to ? undefined : bytes[at], at - base)) return refused;
          break;
        case "target":
          while (at < to && targetBytes[bytes[at] as number] === 1) at++;
          if (!this.#endTarget(at === to ? undefined : bytes[at], at - base)) return refused;
          break;
        case "rest":
          while (at < to && valueBytes[bytes[at] as number] === 1) at++;
          if (at === to) break;
          if (bytes[at] !== CR) return this.#refuse(badRequest("control byte in the start line"));
          this.startLineEnd = at - base;
          if (!this.#namesVersion(bytes, base)) return this.#refuse(badRequest("HTTP version other than 1.0 and 1.1"));
          this.#startLine = "start-lf";
          break;
        case "start-lf":
          if (bytes[at] !== LF) return this.#refuse(badRequest("CR without LF"));
          this.#startLine = "done";
          return at + 1;
        case "done":
          return at;
      }
    }
    return needsMore;
  }

  /** `byte` undefined: the method may continue. */
  #endMethod(byte: number | undefined, end: number): boolean {
    if (end - this.headStart > longestMethodBytes) {
      this.refusal = new Refusal("unsupported", "method too long");
      return false;
    }
    if (byte === undefined) return true;
    if (byte !== SP || end === this.headStart) {
      this.refusal = badRequest("malformed method");
      return false;
    }
    this.methodEnd = end;
    this.#startLine = "target";
    return true;
  }

  /** `byte` undefined: the target may continue. */
  #endTarget(byte: number | undefined, end: number): boolean {
    const length = end - this.methodEnd - 1;
    if (length > this.#limits.targetBytes) {
      this.refusal = new Refusal("uri_too_long", "request target too long");
      return false;
    }
    if (byte === undefined) return true;
    if (byte !== SP || length === 0) {
      this.refusal = badTarget(byte);
      return false;
    }
    this.targetEnd = end;
    this.#startLine = "rest";
    return true;
  }

  /** Returns the offset after the head, `needsMore`, or `refused`. */
  #scanFields(bytes: Buffer, base: number, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      switch (this.#fields) {
        case "line":
          if (bytes[at] === CR) {
            this.#fields = "end-lf";
            break;
          }
          if (bytes[at] === SP || bytes[at] === HTAB) return this.#refuse(badRequest("folded header field"));
          if (this.fieldCount === this.#limits.fields)
            return this.#refuse(new Refusal("head_too_large", "too many header fields"));
          at = this.#passRemembered(bytes, base, at, to) - 1; // the same byte again, or the next line's first
          break;
        case "name": {
          let hash = this.#nameHash;
          while (at < to && tokenBytes[bytes[at] as number] === 1) hash = hashNameByte(hash, bytes[at++] as number);
          this.#nameHash = hash;
          if (at === to) break;
          if (bytes[at] !== COLON || !this.#endName(bytes, base, at))
            return this.#refuse(badRequest("malformed field name"));
          break;
        }
        case "before-value":
          while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at++;
          if (at === to) break;
          this.table[this.fieldCount * fieldStride + 2] = at - base;
          this.#fields = "value";
          at--; // the same byte again
          break;
        case "value":
          while (at < to && valueBytes[bytes[at] as number] === 1) at++;
          if (at === to) break;
          if (bytes[at] !== CR) return this.#refuse(badRequest("control byte in a field value"));
          this.#endValue(bytes, base, at);
          break;
        case "value-lf":
          if (bytes[at] !== LF) return this.#refuse(badRequest("CR without LF"));
          this.#fields = "line";
          break;
        case "end-lf":
          if (bytes[at] !== LF) return this.#refuse(badRequest("CR without LF"));
          return at + 1;
      }
    }
    return needsMore;
  }

  /** If the line is known, returns the offset after it; otherwise begins a field and returns `at`. */
  #passRemembered(bytes: Buffer, base: number, at: number, to: number): number {
    const line = this.lines?.find(this.fieldCount, bytes, at, to);
    const offset = at - base;
    if (line === undefined) {
      this.#startField(offset);
      return at;
    }
    const { table } = this;
    const entry = this.fieldCount * fieldStride; // has room: the table starts with more fields than are remembered
    table[entry] = offset;
    table[entry + 1] = offset + line.nameEnd;
    table[entry + 2] = offset + line.valueStart;
    table[entry + 3] = offset + line.valueEnd;
    table[entry + 4] = line.nameIndex;
    this.remembered |= 1 << this.fieldCount++;
    return at + line.length;
  }

  /** Remembers the new lines of a scanned head. */
  keepLines(): void {
    const { lines, table, fieldCount, bytes, base } = this;
    for (let position = 0; position < fieldCount && position < maxPositions; position++) {
      if ((this.remembered & (1 << position)) !== 0) continue;
      const entry = position * fieldStride;
      const start = table[entry] as number;
      const end = position + 1 < fieldCount ? (table[entry + fieldStride] as number) : this.headEnd - emptyLineBytes;
      lines?.keep(position, bytes, base + start, end - start, {
        nameEnd: (table[entry + 1] as number) - start,
        valueStart: (table[entry + 2] as number) - start,
        valueEnd: (table[entry + 3] as number) - start,
        nameIndex: table[entry + 4] as number,
      });
    }
  }

  /** Decided at the end of the first line, so that nobody waits for more of something that is not HTTP/1. */
  #namesVersion(bytes: Buffer, base: number): boolean {
    const from = base + (this.#kind === "request" ? this.targetEnd + 1 : this.headStart);
    for (let i = 0; i < httpVersion.length; i++) if (bytes[from + i] !== httpVersion[i]) return false;
    return true;
  }

  #startField(offset: number): void {
    const entry = this.fieldCount * fieldStride;
    if (entry + fieldStride > this.table.length) {
      const grown = new Uint32Array(this.table.length * 2);
      grown.set(this.table);
      this.table = grown;
    }
    this.table[entry] = offset;
    this.#nameHash = 0;
    this.#fields = "name";
  }

  /** Returns false if the name is empty. */
  #endName(bytes: Buffer, base: number, at: number): boolean {
    const entry = this.fieldCount * fieldStride;
    const start = base + (this.table[entry] as number);
    if (start === at) return false;
    this.table[entry + 1] = at - base;
    this.table[entry + 4] = internName(bytes, start, at, this.#nameHash);
    this.#fields = "before-value";
    return true;
  }

  #endValue(bytes: Buffer, base: number, at: number): void {
    const entry = this.fieldCount * fieldStride;
    const start = base + (this.table[entry + 2] as number);
    let end = at;
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
    this.table[entry + 3] = end - base;
    this.fieldCount++;
    this.#fields = "value-lf";
  }
}

function badTarget(byte: number): Refusal {
  if (byte === HASH) return badRequest("fragment in the request target");
  if (byte === CR || byte === LF) return badRequest("no HTTP version in the request line");
  return badRequest("malformed request target");
}
