/**
 * Pods for workloads that have none yet: a folder in version control holds Deployments, and it is worth seeing what their
 * sidecars would receive before there is a cluster.
 */

import { opaquePortsAnnotation, proxyVersionAnnotation } from "../injection/marks.ts";
import { type KubeObject, objectKey } from "../source/kube-object.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import { selects, type Workload } from "./pod.ts";

/** One ready pod with a sidecar per replica; its address is a placeholder such as `<orders-1>`. */
export function standInPods(index: ClusterIndex, objects: readonly KubeObject[]): KubeObject[] {
  const pods = objects.filter(({ apiVersion, kind }) => apiVersion === "v1" && kind === "Pod");
  const isOwned = ({ namespace, selector }: Workload) =>
    pods.some(({ metadata }) => metadata.namespace === namespace && selects(selector, metadata.labels));
  return index
    .workloads()
    .filter((workload) => workload.selector.size > 0 && !isOwned(workload))
    .flatMap((workload) => Array.from({ length: workload.replicas }, (_, ordinal) => standIn(workload, ordinal + 1)));
}

function standIn(
  { namespace, name, labels, serviceAccount, ports, opaquePorts = [] }: Workload,
  ordinal: number,
): KubeObject {
  const pod = `${name}-${ordinal}`;
  const annotations = new Map([[proxyVersionAnnotation, "stand-in"]]);
  if (opaquePorts.length > 0) annotations.set(opaquePortsAnnotation, opaquePorts.join(","));
  const head = { apiVersion: "v1", kind: "Pod", metadata: { namespace, name: pod, labels, annotations } };
  return {
    ...head,
    key: objectKey(head),
    spec: {
      serviceAccountName: serviceAccount,
      containers: [{ name, ports: ports.map(({ port, name: portName }) => ({ containerPort: port, name: portName })) }],
    },
    status: { podIP: `<${pod}>`, conditions: [{ type: "Ready", status: "True" }] },
    otherFields: [],
    origin: { file: "", line: 1, lineOf: () => 1 },
  };
}
