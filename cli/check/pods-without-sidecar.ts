/** Pods that are to have a sidecar and have none: they are older than the label, or their webhook was not asked. */

import { injectLabel } from "../../control-plane/injection/annotations.ts";
import { at, type Fields, nameOf, readMeta, textAt } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, fail, named, ok } from "./finding.ts";

const clusterNamespaces = ["kube-system", "kube-public", "kube-node-lease"];
const ended = ["Succeeded", "Failed"];

export const podsWithoutSidecar: Check = {
  name: "pods without a sidecar",
  async run({ cluster, namespaces, pods }) {
    const isAsked = optedIn(await namespaces(), [...clusterNamespaces, cluster.meshNamespace]);
    const asked = (await pods()).filter((pod) => isAsked(pod) && isAlive(pod));
    const without = asked.filter((pod) => !hasSidecar(pod)).map(nameOf);
    if (asked.length === 0)
      return [ok("no pod asks for one yet: kubectl label namespace NAME tulle.dev/inject=enabled")];
    if (without.length === 0) return [ok(`${asked.length} pods have theirs`)];
    const [namespace] = without[0]?.split("/") ?? [];
    return [fail(`${named(without)}`, `kubectl -n ${namespace} rollout restart deployment`)];
  },
};

/** As the two webhooks select: the namespace says so and the pod does not object, or the pod says so itself. */
export function optedIn(namespaces: readonly Fields[], left: readonly string[]): (pod: Fields) => boolean {
  const enabled = new Set(
    namespaces
      .map(readMeta)
      .filter(({ labels }) => labels[injectLabel] === "enabled")
      .map(({ name }) => name),
  );
  return (pod) => {
    const { namespace, labels } = readMeta(pod);
    if (left.includes(namespace) || at(pod, "spec", "hostNetwork") === true) return false;
    return labels[injectLabel] === "enabled" || (enabled.has(namespace) && labels[injectLabel] !== "disabled");
  };
}

export function isAlive(pod: Fields): boolean {
  const phase = textAt(pod, "status", "phase") ?? "";
  return !ended.includes(phase) && at(pod, "metadata", "deletionTimestamp") === undefined;
}
