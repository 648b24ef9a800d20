/**
 * Pods that can't refuse plaintext although a policy requires it: no rule redirects their connections to the sidecar, so a caller
 * that dials the application's own port reaches the application. Pure.
 */

import { strictPolicies } from "../compile/inbound.ts";
import type { ClusterIndex } from "../index/cluster-index.ts";
import { policyName } from "../index/facts.ts";

/** Exposed pods by the policy's `policyName`: each `namespace/name`, sorted. Policies without exposed pods are left out. */
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
