/**
 * A record as the bytes of one value in Redis: what it is (one letter), a line of JSON, then the answer's body. Replicas of
 * different versions may read each other's: fields are only added.
 */

import { HeaderFields } from "../net/header-fields.ts";
import type { KeyRecord } from "./answer.ts";

/** `failure`: shown for a while to those who wait; it is not a record. */
export type StoredKind = "record" | "failure";

const letters = { claim: "c", record: "r", failure: "f" } as const;

export type Stored =
  | { readonly kind: "claim" }
  | { readonly kind: StoredKind; readonly record: KeyRecord }
  /** The value is not ours, or is damaged. */
  | { readonly kind: "unknown" };

/** The value while a request is in progress; `owner`: the only one who may change it. */
export function encodeClaim(owner: string): string {
  return `${letters.claim}${owner}`;
}

export function encodeRecord(kind: StoredKind, { fingerprint, answer }: KeyRecord): Buffer {
  const { status, bodyless } = answer ?? {};
  const line = {
    fingerprint,
    ...(answer && { status, bodyless, headers: answer.headers.flat, sensitive: answer.headers.sensitive }),
    ...(answer?.trailers && { trailers: answer.trailers.flat }),
  };
  return Buffer.concat([Buffer.from(`${letters[kind]}${JSON.stringify(line)}\n`), answer?.body ?? Buffer.alloc(0)]);
}

export function decodeStored(value: Buffer): Stored {
  const letter = String.fromCharCode(value[0] ?? 0);
  if (letter === letters.claim) return { kind: "claim" };
  const kind = letter === letters.record ? "record" : "failure";
  if (letter !== letters[kind]) return { kind: "unknown" };
  const lineEnd = value.indexOf("\n");
  if (lineEnd < 0) return { kind: "unknown" };
  const record = readRecord(value.toString("utf8", 1, lineEnd), value.subarray(lineEnd + 1));
  return record === undefined ? { kind: "unknown" } : { kind, record };
}

function readRecord(line: string, body: Buffer): KeyRecord | undefined {
  const { fingerprint, status, bodyless, headers, sensitive, trailers } = parseObject(line);
  if (typeof fingerprint !== "string") return undefined;
  if (status === undefined) return { fingerprint, answer: undefined };
  if (typeof status !== "number" || typeof bodyless !== "boolean" || !isFlat(headers)) return undefined;
  if (trailers !== undefined && !isFlat(trailers)) return undefined;
  const fields = new HeaderFields(headers);
  if (isTexts(sensitive)) fields.sensitive = sensitive;
  const ended = trailers === undefined ? undefined : new HeaderFields(trailers);
  return { fingerprint, answer: { status, bodyless, headers: fields, body, trailers: ended } };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {}; // damaged: it has no fingerprint
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function isFlat(value: unknown): value is string[] {
  return isTexts(value) && value.length % 2 === 0;
}
