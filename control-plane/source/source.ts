/** The seam between where objects come from (a folder, a cluster) and the index: the current state, in steps. */

import type { KubeObject, ObjectKey } from "./kube-object.ts";
import type { Problem } from "./problem.ts";

/** What changed in a source. Applying all changes in order gives what is true now. */
export interface SourceChange {
  /** New objects, and objects whose text was read again: not all of them differ from before. */
  readonly applied: readonly KubeObject[];
  readonly removed: readonly ObjectKey[];
  /** Everything that is wrong with the source now, not only what is new. */
  readonly problems: readonly Problem[];
  /** More follows soon: what is applied so far is not yet a state of the source, and must not be passed on yet. */
  readonly more?: boolean;
}
