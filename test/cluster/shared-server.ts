/**
 * The API server that all scenarios share: that of a given cluster (`given-cluster.ts`), or one that is started for the run.
 * Tulle's own resource definitions are installed in it.
 */

import type { TestProject } from "vitest/node";
import { meshNamespace } from "../../control-plane/index/facts.ts";
import { type ClusterApi, openClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";
import { startApiServer } from "./api-server.ts";
import { ensureTestNodes, testLabels } from "./control-plane/objects.ts";
import { applyDefinitions } from "./definitions.ts";
import { cleanUp, givenCluster, keepNodesAlive, refuseWhatIsInUse } from "./given-cluster.ts";

declare module "vitest" {
  interface ProvidedContext {
    kubeconfig: string;
    /** Of the key that signs service accounts' tokens; empty: it is not ours to have. */
    tokenKeyFile: string;
    /** Where its contents lie; empty: the same. */
    etcd: string;
  }
}

/** Returns what ends it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env[givenCluster];
  if (given !== undefined) {
    const api = await openClusterApi(given);
    await refuseWhatIsInUse(api);
    project.provide("kubeconfig", given);
    project.provide("tokenKeyFile", "");
    project.provide("etcd", "");
    await prepare(api);
    const leaveNodes = keepNodesAlive(api);
    return async () => {
      leaveNodes();
      await cleanUp(api);
      api.close();
    };
  }
  const server = await startApiServer({ controllers: true });
  await prepare(server.api);
  project.provide("kubeconfig", server.kubeconfig);
  project.provide("tokenKeyFile", server.tokenKeyFile);
  project.provide("etcd", server.etcd.href);
  return () => server.stop();
}

async function prepare(api: ClusterApi): Promise<void> {
  await applyDefinitions(api);
  await ensureTestNodes(api);
  const metadata = { name: meshNamespace, labels: testLabels };
  await api.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata } });
}
