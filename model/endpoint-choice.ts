/**
 * The endpoints that a caller chooses among, by its location and theirs, as kube-proxy does it, whose place the mesh takes
 * (https://kubernetes.io/docs/reference/networking/virtual-ips/). Which of them gets a request is not decided here.
 */

import type { Endpoint } from "./resources.ts";

/** Where a caller runs, as far as it is known. */
export interface Locality {
  readonly node?: string;
  readonly zone?: string;
}

export interface EndpointChoice<E> {
  /** The endpoints that get requests. */
  readonly preferred: readonly E[];
  /** The fallback if none of those admits a request: the same Service's endpoints farther away. */
  readonly others: readonly E[];
}

type Placed = Pick<Endpoint, "state" | "node" | "forNodes" | "forZones">;

/**
 * The ready endpoints, or the terminating ones if none is ready; with `nodeLocal` only those on the caller's node.
 * Hints count if every ready endpoint has one and one of them is for the caller: for its node first, then for its zone.
 */
export function chooseEndpoints<E>(
  all: readonly E[],
  nodeLocal: boolean,
  { node, zone }: Locality,
  placed: (entry: E) => Placed,
): EndpointChoice<E> {
  const allowed = nodeLocal ? all.filter((entry) => node !== undefined && placed(entry).node === node) : all;
  const ready = allowed.filter((entry) => placed(entry).state === "ready");
  if (ready.length === 0) return { preferred: allowed, others: [] };
  if (nodeLocal) return { preferred: ready, others: [] };
  const hinted =
    hintedFor(ready, node, (entry) => placed(entry).forNodes) ??
    hintedFor(ready, zone, (entry) => placed(entry).forZones);
  if (hinted === undefined) return { preferred: ready, others: [] };
  return { preferred: ready.filter((entry) => hinted.has(entry)), others: ready.filter((entry) => !hinted.has(entry)) };
}

/** Undefined: the hints are incomplete, or none of them is for this location. */
function hintedFor<E>(
  ready: readonly E[],
  nodeOrZone: string | undefined,
  hints: (entry: E) => readonly string[] | undefined,
): ReadonlySet<E> | undefined {
  if (nodeOrZone === undefined || ready.some((entry) => hints(entry) === undefined)) return undefined;
  const hinted = new Set(ready.filter((entry) => hints(entry)?.includes(nodeOrZone)));
  return hinted.size === 0 ? undefined : hinted;
}
