/** What the workloads that a request may come to go by now, asked of their own sidecars: one speaks for all of a workload. */

import type { Inbound } from "../../model/resources.ts";
import { type LiveSnapshot, snapshotPath } from "../../sidecar/debug/debug-pages.ts";
import type { Mesh } from "../mesh-client.ts";
import { adminPortOf, findSidecars, readAdmin, type SidecarRef } from "../sidecars/find-sidecars.ts";
import type { DescribedRequest } from "./described-request.ts";
import { explain } from "./explanation.ts";
import type { LiveServer } from "./live-facts.ts";
import type { MeshFacts } from "./mesh-facts.ts";

/** Throws a `UsageError` where it does not answer. */
export async function readSnapshot(sidecar: SidecarRef): Promise<LiveSnapshot> {
  return JSON.parse(await readAdmin(adminPortOf(sidecar), snapshotPath)) as LiveSnapshot;
}

/** `namespace/name` of all pods that such a request may come to. */
export function podsBehind(facts: MeshFacts, request: DescribedRequest): readonly string[] {
  const { route } = explain(facts, request);
  return (route?.backends ?? [])
    .filter(({ weight }) => weight > 0)
    .flatMap(({ endpoints, service: { namespace } }) =>
      (facts.endpoints(endpoints)?.endpoints ?? []).map(({ pod }) => `${namespace}/${pod}`),
    );
}

/** Where one may not be asked, or looked for, or does not answer, that is said on stderr, and the rest told all the same. */
export async function readServers(mesh: Mesh, pods: readonly string[]): Promise<LiveServer[]> {
  const namespaces = [...new Set(pods.map((pod) => pod.split("/", 1)[0] ?? ""))];
  const byWorkload = new Map<string, SidecarRef[]>();
  for (const namespace of namespaces) {
    for (const sidecar of await sidecarsIn(mesh, namespace)) {
      if (!pods.includes(sidecar.pod)) continue;
      byWorkload.set(sidecar.workload, [...(byWorkload.get(sidecar.workload) ?? []), sidecar]);
    }
  }
  const read = await Promise.all([...byWorkload.values()].map(readServer));
  return read.filter((server) => server !== undefined);
}

/** Who may look into the caller's namespace may not look into each that it calls. */
async function sidecarsIn(mesh: Mesh, namespace: string): Promise<readonly SidecarRef[]> {
  try {
    return await findSidecars(mesh, namespace);
  } catch (error) {
    warn(`the workloads in namespace ${namespace}`, error);
    return [];
  }
}

/** The first that answers speaks for all. */
async function readServer(sidecars: readonly SidecarRef[]): Promise<LiveServer | undefined> {
  const failures: unknown[] = [];
  for (const sidecar of sidecars) {
    try {
      const { resources } = await readSnapshot(sidecar);
      const own = resources.find(({ kind, value }) => kind === "inbound" && value.name === sidecar.workload);
      if (own !== undefined) return { pods: new Set(sidecars.map(({ pod }) => pod)), inbound: own.value as Inbound };
    } catch (error) {
      failures.push(error);
    }
  }
  const [first] = sidecars;
  if (first !== undefined && failures.length > 0) warn(first.workload, failures[0]);
  return undefined;
}

/** The message holds the reasons already. */
function warn(whose: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  process.stderr.write(`tulle: what ${whose} would say is not known: ${why}\n`);
}
