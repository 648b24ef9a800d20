/**
 * Which endpoints a caller chooses among, by where both are: as kube-proxy does it, in whose place the mesh stands
 * (https://kubernetes.io/docs/reference/networking/virtual-ips/). Which one of them a request goes to is not decided here.
 */

import type { Endpoint } from "./resources.ts";

/** Where a caller runs, as far as it knows. */
export interface Place {
  readonly node?: string;
  readonly zone?: string;
}

export interface EndpointChoice<E> {
  /** What requests go to. */
  readonly preferred: readonly E[];
  /** Where they go when none of those takes them: the same Service, but farther away. */
  readonly others: readonly E[];
}

type Placed = Pick<Endpoint, "state" | "node" | "forNodes" | "forZones">;

/**
 * The ready ones, and only where there is none those that terminate; with `nodeLocal` those of the caller's node alone.
 * Hints count when every ready endpoint has one, and one of them is the caller's: its node's before its zone's.
 * `placed` tells of an entry of `all` what is known of its endpoint.
 */
export function chooseEndpoints<E>(
  all: readonly E[],
  nodeLocal: boolean,
  { node, zone }: Place,
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

/** Undefined: the hints are incomplete, or none of them is for this place. */
function hintedFor<E>(
  ready: readonly E[],
  place: string | undefined,
  hints: (entry: E) => readonly string[] | undefined,
): ReadonlySet<E> | undefined {
  if (place === undefined || ready.some((entry) => hints(entry) === undefined)) return undefined;
  const hinted = new Set(ready.filter((entry) => hints(entry)?.includes(place)));
  return hinted.size === 0 ? undefined : hinted;
}
