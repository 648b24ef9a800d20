/** Does the control plane run and answer, and is it of the same version as this command? */

import { reasonOf } from "../../system/log.ts";
import { version } from "../../system/version.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { listAt, numberAt, readMeta, textAt } from "../cluster/fields.ts";
import { controlPlaneSelector } from "../mesh-client.ts";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

const deployment = "tulle-control-plane";

export const controlPlane: Check = {
  name: "control plane",
  async run({ cluster, view }) {
    const { meshNamespace: namespace } = cluster;
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`;
    const { status, body } = await cluster.request({ path });
    if (status === 404) {
      const install = `helm install tulle charts/tulle -n ${namespace} --create-namespace --wait`;
      return [fail(`no Deployment ${deployment} in namespace ${namespace}`, `${install}, or --mesh-namespace`)];
    }
    const wanted = numberAt(body, "spec", "replicas") ?? 1;
    const ready = numberAt(body, "status", "readyReplicas") ?? 0;
    const image = textAt(listAt(body, "spec", "template", "spec", "containers")[0], "image") ?? "";
    const logs = `kubectl -n ${namespace} logs deployment/${deployment}`;
    const obstacles = [...refusalsIn(body), ...(await waitingPods(cluster))];
    if (ready === 0) return [fail(`no replica of ${wanted} is ready (${image})`, logs), ...obstacles];
    const counted = `${ready} of ${wanted} ${wanted === 1 ? "replica" : "replicas"} ready`;
    return [ready < wanted ? warn(counted, logs) : ok(counted), ...obstacles, await versionOf(view)];
  },
};

/** Pods of it that the API server refuses. */
function refusalsIn(body: unknown): Finding[] {
  return listAt(body, "status", "conditions")
    .filter(({ type, status }) => type === "ReplicaFailure" && status === "True")
    .map((condition) => warn(`no pod can be made: ${textAt(condition, "message") ?? ""}`));
}

/** Of a container on its way. */
const usualReasons = new Set(["ContainerCreating", "PodInitializing"]);

/** Pods that can't start, while those of before serve on: all that `helm upgrade --wait` says is that it took too long. */
async function waitingPods(cluster: Cluster): Promise<Finding[]> {
  const { meshNamespace: namespace } = cluster;
  const pods = await cluster.list(`/api/v1/namespaces/${namespace}/pods`, { labelSelector: controlPlaneSelector });
  return pods.flatMap((pod) => {
    const [waiting] = listAt(pod, "status", "containerStatuses").filter((container) => {
      const reason = textAt(container, "state", "waiting", "reason");
      return reason !== undefined && !usualReasons.has(reason);
    });
    if (waiting === undefined) return [];
    const [reason, image] = [textAt(waiting, "state", "waiting", "reason"), textAt(waiting, "image")];
    const { name } = readMeta(pod);
    return [warn(`${name} does not start: ${reason} (${image})`, `kubectl -n ${namespace} describe pod ${name}`)];
  });
}

async function versionOf(view: () => Promise<{ readonly version: string }>): Promise<Finding> {
  try {
    const { version: its } = await view();
    if (its === version) return ok(`version ${its}`);
    return warn(`version ${its}, this command is ${version}`, "use the command of the control plane's version");
  } catch (error) {
    return warn(`it can't be asked: ${reasonOf(error)}`, "what only it can tell is left out");
  }
}
