/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/): read strictly, written at version 00; and ids to write in it.
 * It decides nothing about sampling.
 */

import { randomFillSync } from "node:crypto";
import type { HeaderFields } from "../net/header-fields.ts";

/** A trace and a place in it: what a `traceparent` says. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the parent span of what comes next. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** Vendor-specific data, passed on unchanged. */
  readonly tracestate: string | undefined;
}

/** The trace context that came with a request. */
export interface CallerContext {
  /** Both, or neither if the caller only said whether to record. */
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** Undefined: the caller leaves the decision to the next hop. */
  readonly sampled: boolean | undefined;
  readonly tracestate: string | undefined;
}

/** The offsets of the parts of `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`, and its length. */
const traceIdAt = 3;
const spanIdAt = 36;
const flagsAt = 53;
const version00Length = 55;
const longestTraceparent = 512;
const sampledFlag = 1;

/** The context that came with a request. Undefined: there was none, there were two, or it is not valid by the specification. */
export function readTraceContext(headers: HeaderFields): TraceContext | undefined {
  const value = headers.get("traceparent");
  if (value === undefined) return undefined;
  if (value.length > longestTraceparent || headers.hasSeveral("traceparent")) return undefined;
  if (!isTraceparent(value)) return undefined;
  const sampled = ((digits[value.charCodeAt(flagsAt + 1)] ?? 0) & sampledFlag) !== 0;
  const traceId = value.slice(traceIdAt, traceIdAt + 2 * traceIdBytes);
  const spanId = value.slice(spanIdAt, spanIdAt + 2 * spanIdBytes);
  return { traceId, spanId, sampled, tracestate: readTracestate(headers) };
}

/**
 * Its version is not `ff`, its ids are not all zero, and after the flags it ends, or continues with a field of a later version.
 */
function isTraceparent(value: string): boolean {
  if (!isHex(value, 0, 2) || !isHex(value, flagsAt, 2) || value.startsWith("ff")) return false;
  if (!isId(value, traceIdAt, 2 * traceIdBytes) || !isId(value, spanIdAt, 2 * spanIdBytes)) return false;
  if (value[traceIdAt - 1] !== "-" || value[spanIdAt - 1] !== "-" || value[flagsAt - 1] !== "-") return false;
  return value.length === version00Length || (value[version00Length] === "-" && !value.startsWith("00"));
}

/** Whether these are lower-case hex digits, not all zero. */
export function isId(text: string, from: number, length: number): boolean {
  let anyBut0 = 0;
  for (let at = from; at < from + length; at++) {
    const digit = digits[text.charCodeAt(at)] ?? noDigit;
    if (digit === noDigit) return false;
    anyBut0 |= digit;
  }
  return anyBut0 !== 0;
}

function isHex(text: string, from: number, length: number): boolean {
  for (let at = from; at < from + length; at++) if ((digits[text.charCodeAt(at)] ?? noDigit) === noDigit) return false;
  return true;
}

const noDigit = 0xff;
/** The value of each hex digit, by its character code. Lower case only, as the specification requires. */
const digits = new Uint8Array(256).fill(noDigit);
for (let digit = 0; digit < 16; digit++) digits[digit.toString(16).charCodeAt(0)] = digit;

export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

const tracestateKey = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
const tracestateValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const maxMembers = 32;

/**
 * Joins all `tracestate` fields into one list. Undefined: there is none, or a member is not valid, in which case all are dropped.
 */
function readTracestate(headers: HeaderFields): string | undefined {
  if (!headers.has("tracestate")) return undefined;
  const members = headers
    .all("tracestate")
    .flatMap((value) => value.split(","))
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
  if (members.length === 0 || members.length > maxMembers) return undefined;
  const keys = new Set<string>();
  for (const member of members) {
    const split = member.indexOf("=");
    const key = member.slice(0, Math.max(split, 0));
    if (!tracestateKey.test(key) || !tracestateValue.test(member.slice(split + 1)) || keys.has(key)) return undefined;
    keys.add(key);
  }
  return members.join(",");
}

const poolBytes = 4_096;
const traceIdBytes = 16;
const spanIdBytes = 8;

/** Makes random ids from a pool, so that the system is asked only once for hundreds of them. */
export class IdSource {
  readonly #fill: (pool: Buffer) => void;
  readonly #pool = Buffer.alloc(poolBytes);
  #used = poolBytes;

  /** `fill` fills the pool with random bytes; default: from the system's own source. */
  constructor(fill: (pool: Buffer) => void = randomFillSync) {
    this.#fill = fill;
  }

  traceId(): string {
    return this.#next(traceIdBytes);
  }

  spanId(): string {
    return this.#next(spanIdBytes);
  }

  /** An id of zeros means "none", so it is never returned. */
  #next(length: number): string {
    for (;;) {
      if (this.#used + length > poolBytes) {
        this.#fill(this.#pool);
        this.#used = 0;
      }
      const start = this.#used;
      const end = (this.#used = start + length);
      for (let at = start; at < end; at++) if (this.#pool[at] !== 0) return this.#pool.toString("hex", start, end);
    }
  }
}
