/**
 * A control plane's pipeline over a cluster's current objects, read once with the user's own rights, so that commands
 * decide by its code.
 */

import { parse } from "yaml";
import { readInjectionConfig } from "../../control-plane/injection/config.ts";
import { describeAnswer } from "../../control-plane/kubernetes/cluster-api.ts";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { type KubeObject, readObject } from "../../control-plane/source/kube-object.ts";
import { pathOf, type WatchedKind, watchedKinds } from "../../control-plane/source/kubernetes/watched-kinds.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import { UsageError } from "../usage-error.ts";
import type { Cluster } from "./cluster.ts";
import { type Fields, textAt } from "./fields.ts";

export interface ClusterReading {
  readonly pipeline: Pipeline;
  /** Complete objects, while the pipeline keeps only the parts it needs. */
  readonly objects: readonly KubeObject[];
}

/** Throws a `UsageError` that names what the user may not list. */
export async function readClusterPipeline(cluster: Cluster, domains: MeshDomains): Promise<ClusterReading> {
  const lists = await Promise.all(watchedKinds.map((kind) => readKind(cluster, kind)));
  const objects = lists.flat();
  const pipeline = new Pipeline(domains);
  pipeline.apply({ applied: objects, removed: [], problems: [] });
  return { pipeline, objects };
}

/** The settings with which the mesh was installed; empty: it is not installed, or the user may not read them. */
export async function readDomains(cluster: Cluster): Promise<Partial<MeshDomains>> {
  const path = `/api/v1/namespaces/${cluster.meshNamespace}/configmaps/tulle-injection`;
  const { status, body } = await cluster.request({ path });
  const text = status === 200 ? textAt(body, "data", "injection.yaml") : undefined;
  const config = text === undefined ? undefined : readInjectionConfig(parse(text) as unknown);
  if (config?.ok !== true) return {};
  const { trustDomain, controlPlane } = config.value;
  const [, clusterDomain] = /\.svc\.([a-z0-9.-]+)$/.exec(controlPlane) ?? [];
  return { trustDomain, ...(clusterDomain !== undefined && { clusterDomain }) };
}

/** Empty if the cluster does not have the kind. */
async function readKind(cluster: Cluster, kind: WatchedKind): Promise<KubeObject[]> {
  for (const version of kind.versions) {
    const path = pathOf(kind, version);
    const probe = await cluster.request({ path, query: { limit: "1" } });
    if (probe.status === 404) continue;
    if (probe.status !== 200) throw new UsageError(`${kind.plural} can't be listed: ${describeAnswer(probe)}`);
    const apiVersion = kind.group === "" ? version : `${kind.group}/${version}`;
    return (await cluster.list(path)).flatMap((fields) => readFields(fields, apiVersion, kind.kind));
  }
  return [];
}

/** Objects that this version can't read are left out: their status says what is wrong. */
function readFields(fields: Fields, apiVersion: string, kind: string): KubeObject[] {
  // List items don't say what kind they are.
  const read = readObject({ ...fields, apiVersion, kind }, { file: kind, lineOf: () => undefined });
  return read.ok ? [read.value] : [];
}
