/** Where the records of keys are stored: the contract that both memory and Redis fulfil. */

import type { KeyRecord } from "./answer.ts";

export type Found =
  /** Nothing was known of the key: the asking sidecar must process the request. */
  | { readonly kind: "claimed"; readonly claim: Claim }
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  /** Another sidecar has claimed the key. */
  | { readonly kind: "elsewhere"; readonly look: Look }
  | { readonly kind: "unavailable" };

/** The right to process the request of a key. Exactly one of the methods is called, once. */
export interface Claim {
  /** The request was processed. */
  keep(record: KeyRecord, ttlMs: number): void;
  /** The request was not processed, or its answer is not final. `failure`: what those who wait for it elsewhere get. */
  release(failure?: KeyRecord): void;
}

/** Asks what has become of another sidecar's claim; `told` is called once, later. */
export type Look = (told: (seen: Seen) => void) => void;

export type Seen =
  /** The answer, or the failure with which the claim was released. */
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  | { readonly kind: "in-flight" }
  | { readonly kind: "nothing" }
  | { readonly kind: "unavailable" };

export interface RecordStore {
  /** Returns the result if it is known at once; undefined: `told` is called later, once. */
  claim(name: string, told: (found: Found) => void): Found | undefined;
}
