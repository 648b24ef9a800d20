/**
 * Pods of one workload to which different policies apply: their labels tell them apart, like a database's primary and its
 * replicas, or they share nothing but the name, like a Deployment and a CronJob of the same name. A policy applies to the
 * pods that it selects, and another pod's labels can't take it away from them.
 */

import { isDeepStrictEqual } from "node:util";
import type { Inbound } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import type { Workload } from "../index/pod.ts";
import type { PodInbound } from "../snapshot.ts";
import { compareStrings } from "../source/problem.ts";
import { identityOf } from "./endpoints.ts";
import { compileInbound } from "./inbound.ts";
import type { MeshNames } from "./names.ts";

/** By the pods' names: what they have instead of `usual`, which is what the workload's other pods have. */
export function compileApart(
  view: IndexView,
  workload: Workload,
  usual: PodInbound,
  names: MeshNames,
): ReadonlyMap<string, PodInbound> {
  const apart = new Map<string, PodInbound>();
  // Replicas that look alike, as most do, are compiled once.
  const compiled = new Map([[lookOf(workload), usual.value]]);
  for (const pod of view.replicasOf(workload.namespace, workload.name)) {
    const look = lookOf(pod);
    const value = compiled.get(look) ?? equalOr(usual.value, compileInbound(view, workload.name, pod));
    compiled.set(look, value);
    const identity = identityOf(pod, names);
    if (identity !== usual.identity || value !== usual.value) apart.set(pod.name, { value, identity });
  }
  return apart;
}

function equalOr(usual: Inbound, value: Inbound): Inbound {
  return isDeepStrictEqual(value, usual) ? usual : value;
}

/** All of a pod that its Inbound comes from. */
function lookOf({ labels, ports, opaquePorts }: Pick<Workload, "labels" | "ports" | "opaquePorts">): string {
  const sorted = [...labels].sort(([a], [b]) => compareStrings(a, b));
  return JSON.stringify([sorted, ports, opaquePorts]);
}
