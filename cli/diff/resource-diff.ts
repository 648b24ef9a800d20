/** What differs between the compiled results of two pipelines, and whose sidecars would receive it. Pure. */

import { parseDialledAddress } from "../../control-plane/compile/dialled-address.ts";
import type { Pipeline } from "../../control-plane/pipeline.ts";
import type { Holdings } from "../../control-plane/push/push-hub.ts";
import type { Destination, Endpoints, ResourceKind } from "../../model/resources.ts";
import { type Change, changesBetween } from "./structural-diff.ts";

/** One resource that differs. `change` says whether it exists on only one side. */
export interface ResourceDiff {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** Empty unless `changed`. */
  readonly fields: readonly Change[];
  /** The workloads whose sidecars hold it, `namespace/name`, sorted; absent: nobody was asked. */
  readonly workloads?: readonly string[];
}

const kinds: readonly ResourceKind[] = ["destination", "endpoints", "inbound"];

/** Sorted by kind and name. */
export function diffPipelines(before: Pipeline, after: Pipeline): ResourceDiff[] {
  return kinds.flatMap((kind) => {
    const old = valuesByName(before, kind);
    const now = valuesByName(after, kind);
    const names = [...new Set([...old.keys(), ...now.keys()])].sort();
    return names.flatMap((name) => diffResource(kind, name, old.get(name), now.get(name)) ?? []);
  });
}

/**
 * Like `diffPipelines`, with the workloads whose sidecars hold each resource. A sidecar behind a redirect knows a Service by
 * its IP address: the same difference under the address and under the name counts once.
 */
export function diffHeld(before: Pipeline, after: Pipeline, holdings: Holdings): ResourceDiff[] {
  const workloadsOf = new Map<string, Set<string>>();
  for (const [workload, held] of Object.entries(holdings)) {
    for (const { kind, name } of held) {
      const key = `${kind} ${name}`;
      const workloads = workloadsOf.get(key) ?? new Set<string>();
      // Only the first time, because each call compiles again.
      if (workloads.size === 0) for (const { setWanted } of [before, after]) setWanted(kind, name, true);
      workloadsOf.set(key, workloads.add(workload));
    }
  }
  const byResource = new Map<string, { readonly diff: ResourceDiff; readonly workloads: Set<string> }>();
  for (const diff of sortByNamesFirst(diffPipelines(before, after))) {
    const key = sameness(diff, before, after);
    const known = byResource.get(key);
    const holders = workloadsOf.get(`${diff.kind} ${diff.name}`) ?? [];
    // An Inbound belongs to its own workload alone, whether or not one of its sidecars is connected.
    const workloads = diff.kind === "inbound" ? [diff.name] : holders;
    if (known === undefined) byResource.set(key, { diff, workloads: new Set(workloads) });
    else for (const workload of workloads) known.workloads.add(workload);
  }
  return [...byResource.values()].map(({ diff, workloads }) => ({ ...diff, workloads: [...workloads].sort() }));
}

/** Puts names before addresses, so that each difference appears under the name that people know. */
function sortByNamesFirst(diffs: readonly ResourceDiff[]): ResourceDiff[] {
  const isAddress = ({ name }: ResourceDiff) => parseDialledAddress(name) !== undefined;
  return [...diffs.filter((diff) => !isAddress(diff)), ...diffs.filter(isAddress)];
}

/** Equal for differences of the same Service and port with the same content. */
function sameness({ kind, name, change, fields }: ResourceDiff, before: Pipeline, after: Pipeline): string {
  const resource = (after.snapshot.get(kind, name) ?? before.snapshot.get(kind, name))?.resource;
  if (resource === undefined || resource.kind === "inbound") return `${kind} ${name}`;
  const { service }: Destination | Endpoints = resource.value;
  const port = name.slice(name.lastIndexOf(":"));
  return JSON.stringify([kind, service.namespace, service.name, port, change, fields]);
}

function valuesByName({ snapshot }: Pipeline, kind: ResourceKind): ReadonlyMap<string, unknown> {
  return new Map(snapshot.list(kind).map(({ name, resource }) => [name, resource.value]));
}

function diffResource(kind: ResourceKind, name: string, old: unknown, now: unknown): ResourceDiff | undefined {
  if (old === undefined) return { kind, name, change: "added", fields: [] };
  if (now === undefined) return { kind, name, change: "removed", fields: [] };
  const fields = changesBetween(old, now);
  return fields.length === 0 ? undefined : { kind, name, change: "changed", fields };
}
