/**
 * Removes what the chart does not know, because the control plane created it itself: the signer, the Lease, and the trust
 * bundle in each namespace. It first waits until the control plane has exited, which would create them again.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { caSecretName } from "../identity/ca-secret.ts";
import { trustBundleName } from "../identity/trust-bundle.ts";
import { type ApiAnswer, type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { leaseName } from "../status/lease-store.ts";

type Api = Pick<ClusterApi, "request">;

const controlPlanePods = "app.kubernetes.io/name=tulle,app.kubernetes.io/component=control-plane";
const ownLabel = "app.kubernetes.io/part-of";
const patienceMs = 90_000;
const pollMs = 500;

/** Resolves with descriptions of what was removed. Rejects with the first failure. */
export async function removeOwnObjects(api: Api, namespace: string): Promise<readonly string[]> {
  await untilEnded(api, namespace);
  const removed: string[] = [];
  const remove = async (path: string, what: string): Promise<void> => {
    const answer = await api.request({ method: "DELETE", path });
    if (answer.status === 404) return;
    if (answer.status >= 300) throw new Error(`${what} can't be removed: ${describeAnswer(answer)}`);
    removed.push(what);
  };
  for (const at of await trustBundles(api))
    await remove(`/api/v1/namespaces/${at}/configmaps/${trustBundleName}`, `ConfigMap ${at}/${trustBundleName}`);
  await remove(
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${leaseName}`,
    `Lease ${namespace}/${leaseName}`,
  );
  const signer = `/api/v1/namespaces/${namespace}/secrets/${caSecretName}`;
  // A Secret that somebody else put there is theirs to keep.
  if (isOwn(await api.request({ path: signer }))) await remove(signer, `Secret ${namespace}/${caSecretName}`);
  return removed;
}

async function untilEnded(api: Api, namespace: string): Promise<void> {
  const endAtMs = performance.now() + patienceMs;
  const [path, query] = [`/api/v1/namespaces/${namespace}/pods`, { labelSelector: controlPlanePods }];
  while (itemsOf(await api.request({ path, query })).length > 0) {
    if (performance.now() > endAtMs) throw new Error("the control plane has not ended");
    await sleep(pollMs);
  }
}

/** The namespaces that have a trust bundle. */
async function trustBundles(api: Api): Promise<readonly string[]> {
  const query = { fieldSelector: `metadata.name=${trustBundleName}` };
  return itemsOf(await api.request({ path: "/api/v1/configmaps", query })).map(({ metadata }) =>
    String(isRecord(metadata) ? metadata["namespace"] : ""),
  );
}

function itemsOf(answer: ApiAnswer): readonly Readonly<Record<string, unknown>>[] {
  if (answer.status !== 200 || !isRecord(answer.body)) throw new Error(`nothing is listed: ${describeAnswer(answer)}`);
  const { items } = answer.body;
  return Array.isArray(items) ? items.filter(isRecord) : [];
}

function isOwn({ status, body }: ApiAnswer): boolean {
  const metadata = isRecord(body) && isRecord(body["metadata"]) ? body["metadata"] : {};
  const labels = isRecord(metadata["labels"]) ? metadata["labels"] : {};
  return status === 200 && labels[ownLabel] === "tulle";
}
