/** Requests another root where the mesh keeps its own: whoever may write there may ask. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { HomePlace } from "../../control-plane/home/home.ts";
import { rotateRootAnnotation } from "../../control-plane/identity/ca-secret.ts";
import { rotateRootFile } from "../../control-plane/identity/root.ts";
import { describeAnswer } from "../../control-plane/kubernetes/cluster-api.ts";
import { reasonOf } from "../../system/log.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { UsageError } from "../usage-error.ts";

const ownerOnly = 0o600;

/** Asks by writing a file. `root` is the root to be replaced, so asking twice begins nothing twice. Throws a `UsageError`. */
export async function askInFolder({ path }: Extract<HomePlace, { kind: "folder" }>, root: string): Promise<void> {
  try {
    await writeFile(join(path, rotateRootFile), `${root}\n`, { mode: ownerOnly });
  } catch (error) {
    throw new UsageError(`the mesh's root can't be replaced: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Asks by an annotation, with the user's own permissions. A mesh ignores the root of another cluster. Throws a `UsageError`.
 */
export async function askInCluster(
  { namespace, secret }: Extract<HomePlace, { kind: "cluster" }>,
  root: string,
  cluster: Cluster,
): Promise<void> {
  const answer = await cluster.request({
    method: "PATCH",
    path: `/api/v1/namespaces/${namespace}/secrets/${secret}`,
    contentType: "application/merge-patch+json",
    body: { metadata: { annotations: { [rotateRootAnnotation]: root } } },
  });
  if (answer.status === 200) return;
  throw new UsageError(`the mesh's root can't be replaced: ${describeAnswer(answer)}`);
}
