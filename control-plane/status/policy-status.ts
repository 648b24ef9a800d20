/**
 * What becomes of each policy, as its author would see it: conditions in the manner of Gateway API (GEP-1364, GEP-713).
 * Pure: from what is true now, what was compiled and what sidecars have confirmed, to plain data.
 *
 *   Accepted      its content is valid, its targets exist, and no older policy is attached to the same thing
 *   ResolvedRefs  the Services that it leads to exist and may be used
 *   Programmed    the sidecars that hold a resource it is part of have confirmed it, and can carry it out
 */

import { policyWarnings } from "../../model/parse/warnings.ts";
import type { Policy } from "../../model/policy-object.ts";
import type { FieldError } from "../../model/result.ts";
import type { ResourceName, ResourcesWith } from "../compile/compiler.ts";
import { type ClusterIndex, fieldProblem, type HeldPolicy } from "../index/cluster-index.ts";
import { policyName } from "../index/facts.ts";
import type { Problem } from "../source/problem.ts";
import { type Condition, oneLine, refused, resolvedRefs } from "./condition.ts";
import { findExposedPods } from "./exposed-pods.ts";
import { type ObjectStatus, objectStatus } from "./object-status.ts";
import { describeProgrammed, type ResourceAck } from "./programmed.ts";
import { findTargetFaults, findUnresolved, type TargetFault } from "./references.ts";

export interface PolicyStatus extends ObjectStatus {
  readonly conditions: readonly Condition[];
}

/** What sidecars have answered about the newest version of a resource; undefined: none has subscribed to it. */
export type Acknowledgements = (resource: ResourceName) => ResourceAck | undefined;

/** Sorted by kind, namespace and name. */
export function policyStatuses(
  index: ClusterIndex,
  resourcesWith: ResourcesWith,
  acknowledgements: Acknowledgements,
): PolicyStatus[] {
  const exposed = findExposedPods(index);
  return index.policies().map((held) => {
    const { kind, metadata } = held.object;
    const name = policyName({ kind, ...metadata });
    const carriers = resourcesWith(name);
    const { conditions, problems } = judge(index, held, carriers, exposed.has(name));
    const acks = carriers.flatMap((carrier) => acknowledgements(carrier) ?? []);
    const inForce = carriers.length > 0 || conditions.every(({ status }) => status === "True");
    return {
      ...objectStatus(held.object, problems),
      conditions: [
        ...conditions,
        inForce
          ? describeProgrammed(acks, { version: held.version, exposed: exposed.get(name) })
          : refused("Programmed", "NotInForce", ""),
      ],
    };
  });
}

/** The condition lists the pods. This text is logged, so it does not name them: they come and go. */
const notRedirected: FieldError = {
  path: "spec.mtls",
  message: "plaintext still reaches pods that it selects, whose connections are not redirected to their sidecar",
};

interface Judgement {
  readonly conditions: readonly Condition[];
  readonly problems: readonly Problem[];
}

function judge(
  index: ClusterIndex,
  held: HeldPolicy,
  carriers: readonly ResourceName[],
  isExposed: boolean,
): Judgement {
  const { object, policy, standsIn, errors } = held;
  const problem = (error: FieldError) => fieldProblem(object, error);
  if (errors.length > 0) {
    const inForce = policy !== undefined && carriers.length > 0;
    const before = standsIn ? "until it is valid, what it selects is closed" : "what it said before stays in force";
    const rest = inForce ? before : "nothing of it is in force";
    const message = `${errors.map(oneLine).join("; ")} (${rest})`;
    return { conditions: [refused("Accepted", "Invalid", message)], problems: errors.map(problem) };
  }
  if (policy === undefined) return { conditions: [], problems: [] };
  const targets = findTargetFaults(index, policy);
  const unresolved = findUnresolved(index, policy);
  const warnings = [...policyWarnings(policy), ...(isExposed ? [notRedirected] : [])].map(
    (warning): Problem => ({ ...problem(warning), severity: "warning" }),
  );
  return {
    conditions: [accepted(policy, targets), resolvedRefs(unresolved)],
    problems: [...[...targets, ...unresolved].map(problem), ...warnings],
  };
}

/** A policy is in force wherever it can be, and its condition says where it is not. */
function accepted(policy: Policy, faults: readonly TargetFault[]): Condition {
  const targets = policy.kind === "TrafficSplit" ? 1 : Math.max(1, policy.targets.length);
  const message = faults.map(oneLine).join("; ");
  const lost = faults.filter(({ extent }) => extent === "target");
  const [first] = lost;
  if (first !== undefined && lost.length >= targets) return refused("Accepted", first.reason, message);
  const reason = message === "" ? "Accepted" : "PartiallyAccepted";
  return { type: "Accepted", status: "True", reason, message };
}
