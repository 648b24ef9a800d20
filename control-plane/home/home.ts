/**
 * Where a control plane lives: what gives it objects, tells whose a token is, and keeps its signer. There are two, a folder
 * and a cluster, and beyond this seam nothing knows which it is.
 */

import type { Issuer } from "../identity/issuer.ts";
import type { TokenReviewer } from "../identity/tokens.ts";
import type { ClusterApi } from "../kubernetes/cluster-api.ts";
import type { SourceChange } from "../source/source.ts";

export interface Home {
  /** As it is at the start. */
  readonly issuer: Issuer;
  readonly tokens: TokenReviewer;
  /** Absent in a folder. */
  readonly api?: ClusterApi;
  /** Resolves once the first state is handed on, and goes on until `signal` aborts. */
  watch(watching: HomeWatching): Promise<void>;
  /** After everything else. */
  close(): void;
}

export interface HomeWatching {
  readonly onChange: (change: SourceChange) => void;
  /** Another key is to sign, or other roots are to be trusted, from now on. */
  readonly onIssuer: (issuer: Issuer) => void;
  readonly signal: AbortSignal;
}
