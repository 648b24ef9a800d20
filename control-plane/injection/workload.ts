/** The name of a pod's owner, as users know it: `orders`, not `orders-7d9f8b6c5`. */

import type { PodMeta } from "./pod-spec.ts";

/** ReplicaSets are named after their Deployment and this label. */
const templateHashLabel = "pod-template-hash";
/** CronJobs name their Jobs by the minute since 1970. This matches from 2017 to 2065, and no date such as `import-20240101`. */
const cronSuffix = /-(2[5-9]|[34][0-9])[0-9]{6}$/;

export function workloadOf({ ownerReferences = [], labels = {}, name, generateName }: PodMeta): string {
  const owner = ownerReferences.find(({ controller }) => controller === true) ?? ownerReferences[0];
  const hash = labels[templateHashLabel];
  if (owner?.name === undefined) return name ?? (generateName ?? "").replace(/-$/, "");
  if (owner.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return owner.name.slice(0, -hash.length - 1);
  return owner.kind === "Job" ? owner.name.replace(cronSuffix, "") : owner.name;
}
