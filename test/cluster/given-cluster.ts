/**
 * The control plane's scenarios in a cluster that belongs to somebody. They create namespaces, two fake nodes, roles, webhook
 * configurations and resource definitions, and some of them delete the mesh's root and the definitions of Gateway API. So they
 * run only if none of these exist yet, and remove at the end what they have added.
 */

import { meshNamespace } from "../../control-plane/index/facts.ts";
import { type ClusterApi, describeAnswer } from "../../control-plane/kubernetes/cluster-api.ts";
import { isRecord } from "../../control-plane/source/kube-object.ts";
import { reasonOf } from "../../system/log.ts";
import { nested, refreshTestNodes, testLabels } from "./control-plane/objects.ts";

/** Names the variable by which the scenarios are told of it. */
export const givenCluster = "TULLE_TEST_CLUSTER";

/** What is not done there, and why: an API server of the run's own takes it. */
const elsewhere = {
  admission: "the API server has to reach a webhook on this machine",
  injection: "the API server has to reach a webhook on this machine",
  chart: "puts the definitions of Prometheus' operator into the cluster, which may be yours",
} as const;

const fileOf = (name: string) => `test/cluster/control-plane/${name}.test.ts`;

export const scenariosElsewhere: readonly string[] = Object.keys(elsewhere).map(fileOf);

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const namespaces = "/api/v1/namespaces";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
/** Where scenarios make what lives in no namespace. */
const clusterWide = [namespaces, "/api/v1/nodes", `${rbac}/clusterrolebindings`, `${rbac}/clusterroles`, definitions];
const ownGroups = ["tulle.dev", "gateway.networking.k8s.io"];

export function whatIsDone(kubeconfig: string): string {
  return `test:cluster: in the cluster of ${kubeconfig}: makes and deletes namespaces (${meshNamespace} among them), two nodes that nobody is,
roles, and the resource definitions of ${ownGroups.join(" and ")}. It refuses where there is a ${meshNamespace} or one of
those definitions already: they are yours. Without $KUBECONFIG an API server of its own is started. Left out here:
${Object.entries(elsewhere)
  .map(([name, reason]) => `  ${fileOf(name)}: ${reason}`)
  .join("\n")}`;
}

/** Rejects in one plain line where the cluster has something that a scenario would change or delete. */
export async function refuseWhatIsInUse(api: ClusterApi): Promise<void> {
  const mesh = (await namesOf(api, namespaces)).filter((name) => name === meshNamespace);
  const defined = (await namesOf(api, definitions)).filter((name) => ownGroups.some((own) => name.endsWith(`.${own}`)));
  const inUse = [...mesh.map((name) => `namespace ${name}`), ...defined];
  if (inUse.length > 0)
    throw new Error(`not in this cluster, scenarios would delete what is yours: ${inUse.join(", ")}`);
}

/** Has the controllers of a cluster take the scenarios' nodes for alive. Returns what ends it. */
export function keepNodesAlive(api: ClusterApi): () => void {
  const refresh = (): void => {
    refreshTestNodes(api).catch((error: unknown) => process.stderr.write(`test:cluster: ${reasonOf(error)}\n`));
  };
  const timer = setInterval(refresh, 10_000);
  return () => clearInterval(timer);
}

/** Takes away what scenarios made, which has their label, and nothing else. Namespaces end a while later. */
export async function cleanUp(api: ClusterApi): Promise<void> {
  const labelSelector = Object.entries(testLabels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  // No kubelet says that these pods have ended, and without that no namespace does.
  for (const name of await namesOf(api, namespaces, { labelSelector }))
    await api.request({ method: "DELETE", path: `${namespaces}/${name}/pods`, query: { gracePeriodSeconds: "0" } });
  for (const path of clusterWide)
    for (const name of await namesOf(api, path, { labelSelector }))
      await api.request({ method: "DELETE", path: `${path}/${name}` });
}

async function namesOf(api: ClusterApi, path: string, query: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const answer = await api.request({ path, query });
  const items = isRecord(answer.body) ? answer.body["items"] : undefined;
  if (!Array.isArray(items)) throw new Error(`${path} can't be listed: ${describeAnswer(answer)}`);
  return (items as unknown[]).map((item) => String(nested(item, "metadata", "name")));
}
