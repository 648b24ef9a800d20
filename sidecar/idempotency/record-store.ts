/** Where the records of keys are stored: the contract that both memory and Redis fulfil. */

import type { KeyRecord } from "./answer.ts";

export type Found =
  /** Nothing was known of the key: the asking sidecar must process the request. */
  | { readonly kind: "claimed"; readonly claim: Claim }
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  /** Another sidecar has claimed the key. */
  | { readonly kind: "elsewhere"; readonly poll: Poll }
  | { readonly kind: "unavailable" };

/** The right to process the request of a key. Exactly one of the methods is called, once. */
export interface Claim {
  /** The request was processed. */
  keep(record: KeyRecord, ttlMs: number): void;
  /** The request was not processed, or its answer is not final. `failure`: what those who wait for it elsewhere get. */
  release(failure?: KeyRecord): void;
}

/** Asks what has become of another sidecar's claim; `done` is called once, later. */
export type Poll = (done: (state: ClaimState) => void) => void;

export type ClaimState =
  /** The answer, or the failure with which the claim was released. */
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  | { readonly kind: "in-flight" }
  | { readonly kind: "nothing" }
  | { readonly kind: "unavailable" };

export interface RecordStore {
  /** Returns the result if it is known at once; undefined: `done` is called later, once. */
  claim(name: string, done: (found: Found) => void): Found | undefined;
}
