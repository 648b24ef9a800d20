/**
 * What becomes of a request that carries an `Idempotency-Key`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). The judge only: it keeps no answers.
 *
 * ```
 *   nothing known ──process──▶ in flight ──answered──▶ kept ──ttl over──▶ nothing known
 *         ▲                        │
 *         └────── 5xx, aborted ────┘
 * ```
 */

import type { IdempotencyPolicy } from "./policy.ts";

/** What is known of a key. Keys of different callers are different keys. */
export type IdempotencyEntry =
  | { readonly kind: "in-flight"; readonly fingerprint: string }
  | { readonly kind: "kept"; readonly fingerprint: string; readonly untilMs: number };

export type IdempotencyVerdict =
  /** Nothing to do with it: another method, or no key and none required. */
  | { readonly kind: "pass" }
  /** 400. */
  | { readonly kind: "key-missing" }
  /** 400: several keys, or one that is empty, too long or not printable. */
  | { readonly kind: "key-invalid" }
  | { readonly kind: "keyed"; readonly key: string };

/** Looks at the head of a request. `values`: all its `Idempotency-Key` fields. */
export function judgeKey(policy: IdempotencyPolicy, method: string, values: readonly string[]): IdempotencyVerdict {
  if (!policy.methods.includes(method)) return { kind: "pass" };
  const [value] = values;
  if (value === undefined) return { kind: policy.required ? "key-missing" : "pass" };
  const key = values.length === 1 ? parseKey(value) : undefined;
  return key === undefined ? { kind: "key-invalid" } : { kind: "keyed", key };
}

const maxKeyLength = 255;

/** The draft has it in quotes (a structured string, RFC 8941); most clients send it bare. Both name the same key. */
function parseKey(value: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value);
  const key = quoted === null ? value : (quoted[1] ?? "").replace(/\\(.)/g, "$1");
  return key.length > 0 && key.length <= maxKeyLength && /^[\x20-\x7e]+$/.test(key) ? key : undefined;
}

/**
 * What happens to a keyed request: it is processed, waits for the answer to the one in flight, or gets the kept answer; and
 * 422 if the key was used for another request. `fingerprint` covers method, path and body.
 */
export function judgeRepeat(
  entry: IdempotencyEntry | undefined,
  fingerprint: string,
  nowMs: number,
): "process" | "join" | "replay" | "key-reused" {
  if (entry === undefined || (entry.kind === "kept" && nowMs >= entry.untilMs)) return "process";
  if (entry.fingerprint !== fingerprint) return "key-reused";
  return entry.kind === "in-flight" ? "join" : "replay";
}

/** Whether an answer is given again: not a failure of the server, which another try may get over, nor a part of one. */
export function isKept(
  policy: IdempotencyPolicy,
  answer: { status: number; bytes: number; complete: boolean },
): boolean {
  return answer.complete && answer.status < 500 && answer.bytes <= policy.maxAnswerBytes;
}
