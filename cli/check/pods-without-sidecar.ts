/** Pods that should have a sidecar and have none: they are older than the label, or their webhook was not called. */

import { PodsWithoutSidecar } from "../../control-plane/injection/pods-without-sidecar.ts";
import { at, type Fields, textAt } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, fail, named, ok } from "./finding.ts";

const ended = ["Succeeded", "Failed"];

/** Counts them like the control plane. */
export const podsWithoutSidecar: Check = {
  name: "pods without a sidecar",
  async run({ cluster, pods, reading }) {
    const counted = new PodsWithoutSidecar(cluster.meshNamespace);
    counted.apply({ applied: (await reading()).objects, removed: [], problems: [] });
    const [first, ...others] = counted.list();
    if (first !== undefined) {
      const names = [first, ...others].map(({ namespace, name }) => `${namespace}/${name}`);
      return [fail(named(names), `kubectl -n ${first.namespace} rollout restart deployment`)];
    }
    const meshed = (await pods()).filter((pod) => hasSidecar(pod) && isAlive(pod));
    if (meshed.length > 0) return [ok(`${meshed.length} pods have theirs`)];
    return [ok("no pod asks for one yet: kubectl label namespace NAME tulle.dev/inject=enabled")];
  },
};

/** The pod has neither ended nor is it being deleted. */
export function isAlive(pod: Fields): boolean {
  const phase = textAt(pod, "status", "phase") ?? "";
  return !ended.includes(phase) && at(pod, "metadata", "deletionTimestamp") === undefined;
}
