/**
 * Pods of which a policy asks that plaintext be refused, and that can't do it: no rule leads their connections through the
 * sidecar, so that whoever dials the application's own port meets the application. Pure.
 */

import { strictPolicies } from "../compile/inbound.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import { policyName } from "../index/facts.ts";

/** By the policy's `policyName`: `namespace/name` of each such pod, sorted; a policy with none is not in it. */
export function findExposedPods(index: ClusterIndex): ReadonlyMap<string, readonly string[]> {
  const exposed = new Map<string, string[]>();
  for (const pod of index.podsWithoutRedirect()) {
    for (const policy of strictPolicies(index, pod)) {
      const pods = exposed.get(policyName(policy)) ?? [];
      pods.push(`${pod.namespace}/${pod.name}`);
      exposed.set(policyName(policy), pods);
    }
  }
  return exposed;
}
