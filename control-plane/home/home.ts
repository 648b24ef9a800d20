/**
 * Where a control plane gets its objects, finds out whose a token is, and keeps its signer. There are two such homes, a
 * folder and a cluster, and nothing beyond this interface knows which one it is.
 */

import type { ReviewLimits } from "../identity/review-queue.ts";
import type { SignerStore } from "../identity/root-rotation.ts";
import type { KeptSigner } from "../identity/rotation.ts";
import type { TokenReviewer } from "../identity/tokens.ts";
import type { ClusterApi } from "../kubernetes/cluster-api.ts";
import type { SourceChange } from "../source/source.ts";

export interface Home {
  /** As it is at the start. */
  readonly signer: KeptSigner;
  readonly signerStore: SignerStore;
  /** For people: where the signer is kept, and whoever may write there may ask for another root. */
  readonly place: HomePlace;
  readonly tokens: TokenReviewer;
  readonly reviewLimits: ReviewLimits;
  /** Absent in a folder. */
  readonly api?: ClusterApi;
  /** Where the roots are still to be written, as `namespace shop`. */
  unwritten(): readonly string[];
  /** Resolves once the first state is handed on, and goes on until `signal` aborts. */
  watch(watching: HomeWatching): Promise<void>;
  /** After everything else. */
  close(): void;
}

export interface HomeWatching {
  readonly onChange: (change: SourceChange) => void;
  /** What is kept of the signer has changed: another key perhaps, other roots, or a wish. */
  readonly onSigner: (kept: KeptSigner) => void;
  readonly signal: AbortSignal;
}

export type HomePlace =
  | { readonly kind: "cluster"; readonly namespace: string; readonly secret: string }
  | { readonly kind: "folder"; readonly path: string };
