/** A control plane's pipeline over folders of YAML, read once: the starting point of every command that works offline. */

import { standInPods } from "../control-plane/index/stand-in-pods.ts";
import { allProblems, Pipeline } from "../control-plane/pipeline.ts";
import { readFolders } from "../control-plane/source/folder.ts";
import type { KubeObject } from "../control-plane/source/kube-object.ts";
import { formatProblem, type Problem } from "../control-plane/source/problem.ts";
import type { SourceChange } from "../control-plane/source/source.ts";
import { UsageError } from "./usage-error.ts";

export interface MeshDomains {
  readonly clusterDomain: string;
  readonly trustDomain: string;
}

/** Workloads without Pods get one placeholder per replica, `<orders-1>`. Throws a `UsageError` if a folder can't be read. */
export async function readPipeline(folders: readonly string[], domains: MeshDomains): Promise<Pipeline> {
  return (await readFolderObjects(folders, domains)).pipeline;
}

/** Like `readPipeline`, together with the objects that were read. */
export async function readFolderObjects(
  folders: readonly string[],
  domains: MeshDomains,
): Promise<{
  readonly pipeline: Pipeline;
  readonly objects: readonly KubeObject[];
  /** Problems of files that can't be read as Kubernetes objects. */
  readonly problems: readonly Problem[];
}> {
  const pipeline = new Pipeline(domains);
  const change = await read(folders);
  pipeline.apply(change);
  pipeline.apply({ ...change, applied: standInPods(pipeline.index, change.applied), removed: [] });
  return { pipeline, objects: change.applied, problems: change.problems };
}

/** All errors in what was read, and all warnings. */
export function problemsOf(pipeline: Pipeline): Problem[] {
  const nobody = () => undefined;
  return allProblems(pipeline.index, [...pipeline.policyStatuses(nobody), ...pipeline.routeStatuses(nobody)]);
}

/** Prints one line each on stderr: an answer about a mesh is valid even without what could not be read. */
export function warnOfProblems(pipeline: Pipeline): void {
  for (const problem of problemsOf(pipeline)) process.stderr.write(`${formatProblem(problem)}\n`);
}

async function read(folders: readonly string[]): Promise<SourceChange> {
  try {
    return await readFolders(folders);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
