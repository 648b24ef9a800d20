/** Pods by the workload that they are replicas of, for workloads of which there is no object. */

import { compareStrings } from "../source/problem.ts";
import type { Pod } from "./pod.ts";

export class Replicas {
  /** By namespace and workload, then by the pod's name. */
  readonly #pods = new Map<string, Map<string, Pod>>();

  /** The one that shows best what the workload's template says now. */
  newest(namespace: string, workload: string): Pod | undefined {
    let newest: Pod | undefined;
    for (const pod of this.#pods.get(`${namespace}/${workload}`)?.values() ?? [])
      if (newest === undefined || compareAge(pod, newest) > 0) newest = pod;
    return newest;
  }

  toggle(pod: Pod, present: boolean): void {
    // In a folder, a pod without a sidecar is one that has yet to get it; in a cluster it never will.
    if (!pod.meshed && pod.uid !== undefined) return;
    const key = `${pod.namespace}/${pod.workload}`;
    const pods = this.#pods.get(key) ?? new Map<string, Pod>();
    if (present) pods.set(pod.name, pod);
    else pods.delete(pod.name);
    if (pods.size > 0) this.#pods.set(key, pods);
    else this.#pods.delete(key);
  }
}

function compareAge(a: Pod, b: Pod): number {
  return compareStrings(a.createdAt, b.createdAt) || compareStrings(a.name, b.name);
}
