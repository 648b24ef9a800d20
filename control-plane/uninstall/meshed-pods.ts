/** Lists the pods that an uninstall would leave without a control plane: those that have a sidecar and have not ended. */

import { type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { isMeshedPod } from "../source/kubernetes/strip.ts";
import { compareStrings } from "../source/problem.ts";

const pageSize = 500;
/** At most this many are named. */
const maxNamed = 50;
const endedPhases: readonly unknown[] = ["Succeeded", "Failed"];

/** `namespace/name`, sorted. Rejects if the API server gives no list. */
export async function listMeshedPods(api: Pick<ClusterApi, "request">): Promise<readonly string[]> {
  const found: string[] = [];
  let next = "";
  do {
    const query = { limit: String(pageSize), ...(next !== "" && { continue: next }) };
    const answer = await api.request({ path: "/api/v1/pods", query });
    if (answer.status !== 200 || !isRecord(answer.body))
      throw new Error(`pods can't be listed: ${describeAnswer(answer)}`);
    const { items, metadata } = answer.body;
    for (const pod of Array.isArray(items) ? items.filter(isRecord) : []) {
      const { namespace, name } = isRecord(pod["metadata"]) ? pod["metadata"] : {};
      const phase = isRecord(pod["status"]) ? pod["status"]["phase"] : undefined;
      if (isMeshedPod(pod) && !endedPhases.includes(phase)) found.push(`${String(namespace)}/${String(name)}`);
    }
    next = isRecord(metadata) && typeof metadata["continue"] === "string" ? metadata["continue"] : "";
  } while (next !== "");
  return found.sort(compareStrings);
}

/** `pods` is not empty. */
export function describeMeshedPods(pods: readonly string[], isForced: boolean): string {
  const named = pods.slice(0, maxNamed).map((pod) => `  ${pod}`);
  if (pods.length > maxNamed) named.push(`  and ${pods.length - maxNamed} more`);
  const [namespace = ""] = (pods[0] ?? "").split("/");
  const next = isForced
    ? ["They serve on until their certificates end; restart them to rid them of their sidecars."]
    : [
        "Tulle stays until they are out of the mesh. For each of their namespaces:",
        `  kubectl label namespace ${namespace} tulle.dev/inject-`,
        `  kubectl -n ${namespace} rollout restart deployment,statefulset,daemonset`,
        "Then uninstall again; docs/uninstall.md tells how to leave them behind. To keep the mesh after all, roll the release back to its",
        "newest revision (helm history, helm rollback): Helm takes it for half gone now.",
      ];
  return [`${pods.length} pods have a sidecar:`, ...named, ...next, ""].join("\n");
}
