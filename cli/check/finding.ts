/** What a check can look at, and what it reports. */

import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ClusterReading } from "../cluster/cluster-pipeline.ts";
import type { Fields } from "../cluster/fields.ts";

/** `warn`: the mesh works, but not everything as expected; `fail`: something does not work. */
export type Verdict = "ok" | "warn" | "fail";

export interface Finding {
  readonly verdict: Verdict;
  readonly says: string;
  /** What to do, in words or as a command. */
  readonly fix?: string;
}

export interface Check {
  readonly name: string;
  /** Empty: the check has nothing to judge. */
  readonly run: (asked: Asked) => Promise<readonly Finding[]>;
}

/** What checks look at. Each is read once, when the first check asks for it. */
export interface Asked {
  readonly cluster: Cluster;
  /** ms since 1970. */
  readonly nowMs: number;
  readonly namespaces: () => Promise<readonly Fields[]>;
  readonly pods: () => Promise<readonly Fields[]>;
  /** The cluster's objects, as the mesh reads them. */
  readonly reading: () => Promise<ClusterReading>;
  /** The mesh, as its control plane reports it. */
  readonly view: () => Promise<MeshView>;
}

export function ok(says: string): Finding {
  return { verdict: "ok", says };
}

export function warn(says: string, fix?: string): Finding {
  return { verdict: "warn", says, ...(fix !== undefined && { fix }) };
}

export function fail(says: string, fix?: string): Finding {
  return { verdict: "fail", says, ...(fix !== undefined && { fix }) };
}

const maxNamed = 5;

/** `a, b, c and 12 more`. */
export function named(names: readonly string[]): string {
  const shown = names.slice(0, maxNamed).join(", ");
  return names.length > maxNamed ? `${shown} and ${names.length - maxNamed} more` : shown;
}
