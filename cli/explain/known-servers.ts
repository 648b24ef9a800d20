/**
 * What applies to the pods behind a backend, in as few entries as possible: one for each workload and port, and several
 * only if labels, or a name shared by chance, give its pods different policies.
 */

import { isDeepStrictEqual } from "node:util";
import type { Inbound, PortPolicies } from "../../model/resources.ts";
import type { KnownServer } from "./mesh-facts.ts";

export interface ServingPod {
  /** `namespace/name` */
  readonly pod: string;
  readonly port: number;
  readonly inbound: Inbound;
}

export function knownServers(serving: readonly ServingPod[]): KnownServer[] {
  const byPort = new Map<string, { readonly server: KnownServer; readonly pods: string[] }[]>();
  for (const { pod, port, inbound } of serving) {
    const server = { workload: inbound.name, port, policies: policiesAt(inbound, port) };
    const key = `${inbound.name}:${port}`;
    const groups = byPort.get(key) ?? [];
    byPort.set(key, groups);
    const alike = groups.find((group) => isDeepStrictEqual(group.server, server));
    if (alike === undefined) groups.push({ server, pods: [pod] });
    else alike.pods.push(pod);
  }
  return [...byPort.values()].flatMap((groups) =>
    groups.map(({ server, pods }) => (groups.length === 1 ? server : { ...server, pods: [...new Set(pods)].sort() })),
  );
}

function policiesAt({ ports, unlisted = [], elsewhere = {} }: Inbound, port: number): PortPolicies {
  return [...ports, ...unlisted].find((listed) => listed.port === port) ?? elsewhere;
}
