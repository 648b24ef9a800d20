/** Where the records of keys are kept: the contract that memory and Redis both hold. */

import type { KeyRecord } from "./answer.ts";

export type Found =
  /** Nothing was known of the key; whoever asked is to process the request. */
  | { readonly kind: "claimed"; readonly claim: Claim }
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  /** Another sidecar has claimed it. */
  | { readonly kind: "elsewhere"; readonly look: Look }
  | { readonly kind: "unavailable" };

/** The right to process the request of one key. Exactly one of its methods is called, once. */
export interface Claim {
  /** The request was processed. */
  keep(record: KeyRecord, ttlMs: number): void;
  /** It was not, or what came of it is not the last word; `failure` is what those get who wait for it elsewhere. */
  release(failure?: KeyRecord): void;
}

/** Asks what has become of a claim elsewhere; `told` is called once, later. */
export type Look = (told: (seen: Seen) => void) => void;

export type Seen =
  /** The answer, or the failure that the claim was released with. */
  | { readonly kind: "recorded"; readonly record: KeyRecord }
  | { readonly kind: "in-flight" }
  | { readonly kind: "nothing" }
  | { readonly kind: "unavailable" };

export interface RecordStore {
  /** Returns what it knows at once; undefined: `told` is called later, once. */
  claim(name: string, told: (found: Found) => void): Found | undefined;
}
