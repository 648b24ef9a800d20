/**
 * Where a control plane gets its objects, looks up the owners of tokens, and keeps its signer. There are two such homes, a
 * folder and a cluster, and nothing beyond this interface knows which one it is.
 */

import type { ReviewLimits } from "../identity/review-queue.ts";
import type { SignerStore } from "../identity/root-rotation.ts";
import type { KeptSigner } from "../identity/rotation.ts";
import type { TokenReviewer } from "../identity/tokens.ts";
import type { ClusterApi } from "../kubernetes/cluster-api.ts";
import type { SourceChange } from "../source/source.ts";

export interface Home {
  /** The signer as of the start. */
  readonly signer: KeptSigner;
  readonly signerStore: SignerStore;
  /** For people: where the signer is kept. Anyone who may write there may request a new root. */
  readonly place: HomePlace;
  readonly tokens: TokenReviewer;
  readonly reviewLimits: ReviewLimits;
  /** Absent in a folder. */
  readonly api?: ClusterApi;
  /** Where the roots have yet to be written, such as `namespace shop`. */
  unwritten(): readonly string[];
  /** Resolves once the first state is handed on, and goes on until `signal` aborts. */
  watch(watching: HomeWatching): Promise<void>;
  /** To be called after everything else. */
  close(): void;
}

export interface HomeWatching {
  readonly onChange: (change: SourceChange) => void;
  /** The stored signer has changed: perhaps the key, the roots, or a request. */
  readonly onSigner: (kept: KeptSigner) => void;
  readonly signal: AbortSignal;
}

export type HomePlace =
  | { readonly kind: "cluster"; readonly namespace: string; readonly secret: string }
  | { readonly kind: "folder"; readonly path: string };
