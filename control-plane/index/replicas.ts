/** Pods by the workload that they are replicas of, for workloads without an object of their own. */

import { isDeepStrictEqual } from "node:util";
import { compareStrings } from "../source/problem.ts";
import type { Pod } from "./pod.ts";

export class Replicas {
  /** By namespace and workload, then by the pod's name. */
  readonly #pods = new Map<string, Map<string, Pod>>();

  /** The newest pod, which best reflects the workload's current template. */
  newest(namespace: string, workload: string): Pod | undefined {
    let newest: Pod | undefined;
    for (const pod of this.#pods.get(`${namespace}/${workload}`)?.values() ?? [])
      if (newest === undefined || compareAge(pod, newest) > 0) newest = pod;
    return newest;
  }

  /** All replicas, unordered. */
  of(namespace: string, workload: string): readonly Pod[] {
    return [...(this.#pods.get(`${namespace}/${workload}`)?.values() ?? [])];
  }

  /** The same pod, but sharing in memory the parts that equal another replica's. */
  sharing(pod: Pod): Pod {
    const [other] = this.#pods.get(`${pod.namespace}/${pod.workload}`)?.values() ?? [];
    if (other === undefined) return pod;
    const { namespace, workload, serviceAccount } = other;
    return {
      ...pod,
      namespace,
      workload,
      labels: isDeepStrictEqual(pod.labels, other.labels) ? other.labels : pod.labels,
      ports: isDeepStrictEqual(pod.ports, other.ports) ? other.ports : pod.ports,
      serviceAccount: pod.serviceAccount === serviceAccount ? serviceAccount : pod.serviceAccount,
    };
  }

  toggle(pod: Pod, present: boolean): void {
    // In a folder, a pod without a sidecar has yet to get one; in a cluster it never will.
    if (!pod.meshed && pod.uid !== undefined) return;
    // A CronJob's pod may bear the name of a Deployment, and would decide long after its end which policies apply to that.
    if (pod.ended) return;
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
