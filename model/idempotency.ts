/**
 * Decisions about requests that carry an `Idempotency-Key`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/): whether a request has a key, which of
 * several pods recognises it, and which answers are kept. It stores nothing and sends nothing.
 */

import type { IdempotencyRules } from "./policy.ts";
import { rendezvousScore } from "./rendezvous.ts";
import type { KnownKeys } from "./resources.ts";
import { grpcStatus } from "./try-outcome.ts";

const idempotencyKeyField = "idempotency-key";

export type KeyVerdict =
  /** Not concerned: another method, or no key and none required. */
  | { readonly kind: "pass" }
  /** 400. */
  | { readonly kind: "key-missing" }
  /** 400: several keys, or one that is empty, too long or not printable. */
  | { readonly kind: "key-invalid" }
  | { readonly kind: "keyed"; readonly key: string };

/** Looks at the head of a request. */
export function judgeKey(
  rules: Pick<IdempotencyRules, "methods" | "required">,
  method: string,
  headers: { all(name: string): readonly string[] },
): KeyVerdict {
  if (!rules.methods.includes(method)) return pass;
  if (headers.all(idempotencyKeyField).length === 0) return rules.required ? { kind: "key-missing" } : pass;
  const key = keyIn(headers);
  return key === undefined ? { kind: "key-invalid" } : { kind: "keyed", key };
}

const pass: KeyVerdict = { kind: "pass" };
const maxKeyLength = 255;

/** The key of a request before its target is chosen; undefined: it has none, or an invalid one. */
export function keyIn(headers: { all(name: string): readonly string[] }): string | undefined {
  const [value, ...more] = headers.all(idempotencyKeyField);
  return value === undefined || more.length > 0 ? undefined : parseKey(value);
}

/** The key by which a target recognises a request; undefined: it does not. */
export function knownKeyIn(
  { methods }: Pick<KnownKeys, "methods">,
  method: string,
  headers: { all(name: string): readonly string[] },
): string | undefined {
  return methods.includes(method) ? keyIn(headers) : undefined;
}

/** The draft has it in quotes (a structured string, RFC 9651); most clients send it bare. Both name the same key. */
function parseKey(value: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value);
  const key = quoted === null ? value : (quoted[1] ?? "").replace(/\\(.)/g, "$1");
  return key.length > 0 && key.length <= maxKeyLength && /^[\x20-\x7e]+$/.test(key) ? key : undefined;
}

/**
 * Which of several pods a caller's key belongs to, -1 if there are none: the same in every sidecar, whatever the order of the
 * pods. When a pod is added or removed, only the keys that it gains or loses move. `caller`: its SPIFFE id.
 */
export function ownerOfKey(caller: string, key: string, pods: readonly string[]): number {
  // No SPIFFE id has a space in it, so no two callers can make one name.
  const name = `${caller} ${key}`;
  let owner = -1;
  let best = Number.NEGATIVE_INFINITY;
  for (const [index, pod] of pods.entries()) {
    const score = rendezvousScore(name, pod);
    if (score <= best) continue;
    best = score;
    owner = index;
  }
  return owner;
}

/**
 * Whether an answer is final, and so is given to repeats. Server failures, and answers that ask to come back, are not:
 * another try may succeed.
 */
export function isFinal(answer: { readonly status: number; readonly grpcStatus: number | undefined }): boolean {
  if (answer.status >= 500 || comeBack.has(answer.status)) return false;
  return answer.grpcStatus === undefined || finalGrpc.has(answer.grpcStatus);
}

/** Unauthorized, Proxy Authentication Required, Request Timeout, Misdirected, Too Early, Too Many Requests. */
const comeBack: ReadonlySet<number> = new Set([401, 407, 408, 421, 425, 429]);

const finalGrpc: ReadonlySet<number> = new Set([
  grpcStatus.ok,
  grpcStatus.invalidArgument,
  grpcStatus.notFound,
  grpcStatus.alreadyExists,
  grpcStatus.permissionDenied,
  grpcStatus.failedPrecondition,
  grpcStatus.outOfRange,
  grpcStatus.unimplemented,
]);
