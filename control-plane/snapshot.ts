/**
 * What sidecars are to be told: the newest version of every compiled resource, and who wants to know of changes.
 * Publishing an equal resource wakes nobody. It compiles nothing and sends nothing.
 */

import { createHash } from "node:crypto";
import type { Resource, ResourceKind } from "../model/resources.ts";
import { compareStrings } from "./source/problem.ts";

export interface PublishedResource {
  readonly kind: ResourceKind;
  readonly name: string;
  /** A hash of the content, 12 hex digits: the same after a restart and in every replica. */
  readonly version: string;
  readonly resource: Resource;
}

/** Called after all changes of a commit are in place. */
export type SnapshotListener = (kind: ResourceKind, name: string) => void;

export interface SnapshotChange {
  readonly published: readonly Resource[];
  readonly withdrawn: readonly { readonly kind: ResourceKind; readonly name: string }[];
  /** By the name of the Inbound: the only SPIFFE id that may have it. */
  readonly identities: ReadonlyMap<string, string>;
}

/** So that a backend is known before the route that leads to it. */
const kindOrder: readonly ResourceKind[] = ["endpoints", "destination", "inbound"];

export class Snapshot {
  readonly #resources: Readonly<Record<ResourceKind, Map<string, PublishedResource>>> = {
    inbound: new Map(),
    destination: new Map(),
    endpoints: new Map(),
  };
  readonly #identities = new Map<string, string>();
  readonly #listeners = new Set<SnapshotListener>();

  /** Undefined: there is no such thing. */
  get(kind: ResourceKind, name: string): PublishedResource | undefined {
    return this.#resources[kind].get(name);
  }

  /** All of a kind, sorted by name. */
  list(kind: ResourceKind): readonly PublishedResource[] {
    return [...this.#resources[kind].values()].sort((a, b) => compareStrings(a.name, b.name));
  }

  /** The SPIFFE id whose sidecars may have this Inbound; undefined: no such workload. */
  workloadIdentity(inboundName: string): string | undefined {
    return this.#identities.get(inboundName);
  }

  /** The listener is called for each resource that changed, appeared or vanished, until the returned function is called. */
  watch(listener: SnapshotListener): () => void {
    const own: SnapshotListener = (kind, name) => listener(kind, name);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Takes over what is different, all at once, and then tells the listeners. */
  commit(change: SnapshotChange): void {
    const changed: { kind: ResourceKind; name: string }[] = [];
    for (const { kind, name } of change.withdrawn) {
      if (kind === "inbound") this.#identities.delete(name);
      if (this.#resources[kind].delete(name)) changed.push({ kind, name });
    }
    for (const resource of change.published) {
      const { kind } = resource;
      const { name } = resource.value;
      const version = versionOf(resource);
      if (this.#resources[kind].get(name)?.version === version) continue;
      this.#resources[kind].set(name, { kind, name, version, resource });
      changed.push({ kind, name });
    }
    for (const [name, identity] of change.identities) this.#identities.set(name, identity);
    changed.sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || compareStrings(a.name, b.name));
    for (const { kind, name } of changed) for (const listener of this.#listeners) listener(kind, name);
  }
}

/** Independent of the order in which fields were set. */
function versionOf(resource: Resource): string {
  const text = JSON.stringify(resource, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareStrings(a, b)))
      : value,
  );
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
