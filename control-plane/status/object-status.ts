/** What the statuses of policies and routes share: the object they are about, and its problems. */

import type { KubeObject } from "../source/kube-object.ts";
import { compareProblems, type Problem } from "../source/problem.ts";

export interface ObjectStatus {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Distinguishes it from an earlier object of the same name; absent in a folder. */
  readonly uid?: string;
  readonly file: string;
  /** Absent in a cluster. */
  readonly line?: number;
  /** The generation of the object that this is about; absent in a folder. */
  readonly observedGeneration?: number;
  /** What its author should fix, by file and line: invalid fields, references, conflicts, and what looks unintended. */
  readonly problems: readonly Problem[];
}

export function objectStatus({ kind, metadata, origin }: KubeObject, problems: readonly Problem[]): ObjectStatus {
  const { namespace, name, uid, generation } = metadata;
  return {
    kind,
    namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    file: origin.file,
    ...(origin.line === undefined ? {} : { line: origin.line }),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    problems: [...problems].sort(compareProblems),
  };
}
