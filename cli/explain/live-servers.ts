/** The current policies of the workloads that a request may reach, read from their own sidecars. */

import { isDeepStrictEqual } from "node:util";
import type { Inbound } from "../../model/resources.ts";
import { type LiveSnapshot, snapshotPath } from "../../sidecar/debug/debug-pages.ts";
import type { Mesh } from "../mesh-client.ts";
import { adminPortOf, findSidecars, readAdmin, type SidecarRef } from "../sidecars/find-sidecars.ts";
import type { DescribedRequest } from "./described-request.ts";
import { explain } from "./explanation.ts";
import type { LiveServer } from "./live-facts.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** At most this many sidecars of one workload are asked. Each needs a separate connection through the API server. */
const maxAsked = 16;

/** Throws a `UsageError` if the sidecar does not answer. */
export async function readSnapshot(sidecar: SidecarRef): Promise<LiveSnapshot> {
  return JSON.parse(await readAdmin(adminPortOf(sidecar), snapshotPath)) as LiveSnapshot;
}

/** `namespace/name` of all pods that such a request may reach. */
export function podsBehind(facts: MeshFacts, request: DescribedRequest): readonly string[] {
  const { route } = explain(facts, request);
  return (route?.backends ?? [])
    .filter(({ weight }) => weight > 0)
    .flatMap(({ endpoints, service: { namespace } }) =>
      (facts.endpoints(endpoints)?.endpoints ?? []).map(({ pod }) => `${namespace}/${pod}`),
    );
}

/** If a workload may not be read, or does not answer, stderr says so, and the rest is reported all the same. */
export async function readServers(mesh: Mesh, pods: readonly string[]): Promise<LiveServer[]> {
  const namespaces = [...new Set(pods.map((pod) => pod.split("/", 1)[0] ?? ""))];
  const byWorkload = new Map<string, SidecarRef[]>();
  for (const namespace of namespaces) {
    for (const sidecar of await sidecarsIn(mesh, namespace)) {
      if (!pods.includes(sidecar.pod)) continue;
      byWorkload.set(sidecar.workload, [...(byWorkload.get(sidecar.workload) ?? []), sidecar]);
    }
  }
  const read = await Promise.all([...byWorkload.values()].map(readWorkload));
  return read.flat();
}

/** A user who may read the caller's namespace may not be allowed to read all namespaces that it calls. */
async function sidecarsIn(mesh: Mesh, namespace: string): Promise<readonly SidecarRef[]> {
  try {
    return await findSidecars(mesh, namespace);
  } catch (error) {
    warn(`the workloads in namespace ${namespace}`, error);
    return [];
  }
}

/**
 * What its sidecars report; usually all the same. Sidecars that don't answer, or are not asked, are assumed to have what the
 * first that answers has.
 */
async function readWorkload(sidecars: readonly SidecarRef[]): Promise<LiveServer[]> {
  const answers = await Promise.allSettled(sidecars.slice(0, maxAsked).map(readOwn));
  const found: { readonly pods: Set<string>; readonly inbound: Inbound }[] = [];
  const unknown: string[] = sidecars.slice(maxAsked).map(({ pod }) => pod);
  for (const [index, answer] of answers.entries()) {
    const { pod } = sidecars[index] as SidecarRef;
    const own = answer.status === "fulfilled" ? answer.value : undefined;
    const alike = own && found.find(({ inbound }) => isDeepStrictEqual(inbound, own));
    if (own === undefined) unknown.push(pod);
    else if (alike === undefined) found.push({ pods: new Set([pod]), inbound: own });
    else alike.pods.add(pod);
  }
  for (const pod of unknown) found[0]?.pods.add(pod);
  const failure = answers.find((answer) => answer.status === "rejected");
  if (found.length === 0 && failure !== undefined) warn(sidecars[0]?.workload ?? "", failure.reason);
  return found;
}

/** Undefined: it has not received its Inbound yet. */
async function readOwn(sidecar: SidecarRef): Promise<Inbound | undefined> {
  const { resources } = await readSnapshot(sidecar);
  return resources.find(({ kind, value }) => kind === "inbound" && value.name === sidecar.workload)?.value as
    | Inbound
    | undefined;
}

/** The error's message already contains the reasons. */
function warn(whose: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  process.stderr.write(`tulle: what ${whose} would say is not known: ${why}\n`);
}
