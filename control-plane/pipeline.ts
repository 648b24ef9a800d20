/** The path of a policy, as one list: source → index → compile → snapshot, and its status on the way back. */

import type { ResourceKind } from "../model/resources.ts";
import { Compiler, type CompilerOptions, type ResourceName } from "./compile/compiler.ts";
import { ClusterIndex } from "./index/cluster-index.ts";
import type { Fact } from "./index/facts.ts";
import { Snapshot } from "./snapshot.ts";
import { compareProblems, type Problem } from "./source/problem.ts";
import type { SourceChange } from "./source/source.ts";
import { findExposedPods } from "./status/exposed-pods.ts";
import { type Acknowledgements, type PolicyStatus, policyStatuses } from "./status/policy-status.ts";
import { countNotProgrammed, type NotProgrammed } from "./status/programmed.ts";
import { type RouteStatus, routeStatuses } from "./status/route-status.ts";

export class Pipeline {
  readonly index = new ClusterIndex();
  readonly snapshot = new Snapshot();
  readonly #compiler: Compiler;
  /** Facts that were touched by changes so far, which together are not a complete state yet. */
  readonly #touched = new Set<Fact>();

  constructor(options: CompilerOptions) {
    this.#compiler = new Compiler(this.index, this.snapshot, options);
  }

  /**
   * Carries a change of the source all the way through, unless more is to come. When it returns, the snapshot is updated and
   * its listeners have been called.
   */
  apply(change: SourceChange): void {
    for (const fact of this.index.apply(change)) this.#touched.add(fact);
    if (change.more) return;
    const touched = new Set(this.#touched);
    this.#touched.clear();
    this.#compiler.update(touched);
  }

  /** See `Compiler`. */
  readonly setWanted = (kind: ResourceKind, name: string, wanted: boolean): void =>
    this.#compiler.setWanted(kind, name, wanted);

  /** The resources that a policy or route is part of, by its `policyName`. */
  readonly resourcesWith = (policy: string): readonly ResourceName[] => this.#compiler.resourcesWith(policy);

  /** The status of each policy. `acknowledgements` come from push. */
  policyStatuses(acknowledgements: Acknowledgements): PolicyStatus[] {
    return policyStatuses(this.index, this.#compiler.resourcesWith, acknowledgements);
  }

  /** The status of each HTTPRoute and GRPCRoute with a Service as parent. */
  routeStatuses(acknowledgements: Acknowledgements): RouteStatus[] {
    return routeStatuses(this.index, this.#compiler.resourcesWith, acknowledgements);
  }

  /** Counts the policies and routes, among those in force somewhere, that some sidecars don't have. */
  countNotProgrammed(acknowledgements: Acknowledgements): NotProgrammed {
    const { inForce, resourcesWith } = this.#compiler;
    return countNotProgrammed(inForce, resourcesWith, acknowledgements, findExposedPods(this.index));
  }
}

/** Everything that needs fixing, sorted by file and line, without repetitions. */
export function allProblems(
  index: ClusterIndex,
  statuses: readonly { readonly problems: readonly Problem[] }[],
): Problem[] {
  const found = [...index.problems(), ...statuses.flatMap((status) => status.problems)];
  const unique = new Map(found.map((problem) => [JSON.stringify(problem), problem]));
  return [...unique.values()].sort(compareProblems);
}
