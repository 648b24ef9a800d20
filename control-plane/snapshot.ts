/**
 * What sidecars should receive: the newest version of every compiled resource, and the listeners for changes. Publishing an
 * equal resource notifies nobody. It compiles nothing and sends nothing.
 */

import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Inbound, Resource, ResourceKind } from "../model/resources.ts";
import { compareStrings } from "./source/problem.ts";

export interface PublishedResource {
  readonly kind: ResourceKind;
  readonly name: string;
  /** A hash of the content, 12 hex digits: the same after a restart, and in every replica. */
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
  /** The variants that single pods get, by the name of a published Inbound and then of the pod. Absent: there are none. */
  readonly apart?: ReadonlyMap<string, ReadonlyMap<string, PodInbound>>;
}

/** The variant for one pod of a workload, if its labels give it other policies than the rest. */
export interface PodInbound {
  readonly value: Inbound;
  /** The only SPIFFE id that may have it. */
  readonly identity: string;
}

interface PublishedApart {
  readonly published: PublishedResource;
  readonly identity: string;
}

/** In this order, a backend is known before the route that uses it. */
const kindOrder: readonly ResourceKind[] = ["endpoints", "destination", "inbound"];

export class Snapshot {
  readonly #resources: Readonly<Record<ResourceKind, Map<string, PublishedResource>>> = {
    inbound: new Map(),
    destination: new Map(),
    endpoints: new Map(),
  };
  readonly #identities = new Map<string, string>();
  readonly #apart = new Map<string, ReadonlyMap<string, PublishedApart>>();
  readonly #listeners = new Set<SnapshotListener>();

  /** `pod`: returns the variant of this pod, if it belongs to the workload. Undefined: there is no such resource. */
  get(kind: ResourceKind, name: string, pod?: string): PublishedResource | undefined {
    return this.#apartOf(kind, name, pod)?.published ?? this.#resources[kind].get(name);
  }

  /** Changes whenever any pod's variant changes, even if two pods swap theirs. */
  versionOf(kind: ResourceKind, name: string): string | undefined {
    const version = this.get(kind, name)?.version;
    const apart = kind === "inbound" ? this.#apart.get(name) : undefined;
    if (version === undefined || apart === undefined) return version;
    const byPod = Array.from(apart, ([pod, { published }]) => `${pod} ${published.version}`);
    return hashOf(JSON.stringify([version, ...byPod.sort()]));
  }

  /** All of a kind, sorted by name. */
  list(kind: ResourceKind): readonly PublishedResource[] {
    return [...this.#resources[kind].values()].sort((a, b) => compareStrings(a.name, b.name));
  }

  /** The SPIFFE id whose sidecars may have this Inbound, in the variant of the pod; undefined: no such workload. */
  workloadIdentity(inboundName: string, pod?: string): string | undefined {
    return this.#apartOf("inbound", inboundName, pod)?.identity ?? this.#identities.get(inboundName);
  }

  /** Calls the listener for each resource that changed, appeared or vanished, until the returned function is called. */
  watch(listener: SnapshotListener): () => void {
    const own: SnapshotListener = (kind, name) => listener(kind, name);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Applies all differences at once, and then calls the listeners. */
  commit(change: SnapshotChange): void {
    const changed: { kind: ResourceKind; name: string }[] = [];
    for (const { kind, name } of change.withdrawn) {
      if (kind === "inbound") {
        this.#identities.delete(name);
        this.#apart.delete(name);
      }
      if (this.#resources[kind].delete(name)) changed.push({ kind, name });
    }
    for (const resource of change.published) {
      const { kind } = resource;
      const { name } = resource.value;
      const published = this.#publish(resource);
      const setApart = kind === "inbound" && this.#setApart(name, change.apart?.get(name));
      if (published || setApart) changed.push({ kind, name });
    }
    for (const [name, identity] of change.identities) this.#identities.set(name, identity);
    changed.sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || compareStrings(a.name, b.name));
    for (const { kind, name } of changed) for (const listener of this.#listeners) listener(kind, name);
  }

  /** Returns false if it equals the current version. */
  #publish(resource: Resource): boolean {
    const published = publishedOf(resource);
    const { kind, name, version } = published;
    if (this.#resources[kind].get(name)?.version === version) return false;
    this.#resources[kind].set(name, published);
    return true;
  }

  /** Does the same for the variants of single pods. Equal ones are shared, so that they are encoded once. */
  #setApart(name: string, variants: ReadonlyMap<string, PodInbound> = new Map()): boolean {
    const before = this.#apart.get(name);
    if (variants.size === 0) return this.#apart.delete(name);
    const known = new Map([...(before?.values() ?? [])].map(({ published }) => [published.version, published]));
    // Pods that look alike share one value, which is hashed once.
    const hashed = new Map<Inbound, PublishedResource>();
    const after = new Map<string, PublishedApart>();
    for (const [pod, { value, identity }] of variants) {
      const fresh = hashed.get(value) ?? publishedOf({ kind: "inbound", value });
      const published = known.get(fresh.version) ?? fresh;
      hashed.set(value, published);
      known.set(published.version, published);
      after.set(pod, { published, identity });
    }
    if (before !== undefined && isDeepStrictEqual(after, before)) return false;
    this.#apart.set(name, after);
    return true;
  }

  #apartOf(kind: ResourceKind, name: string, pod: string | undefined): PublishedApart | undefined {
    return pod === undefined || kind !== "inbound" ? undefined : this.#apart.get(name)?.get(pod);
  }
}

function publishedOf(resource: Resource): PublishedResource {
  return { kind: resource.kind, name: resource.value.name, version: versionOf(resource), resource };
}

/** Independent of the order in which fields were set. */
function versionOf(resource: Resource): string {
  const text = JSON.stringify(resource, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareStrings(a, b)))
      : value,
  );
  return hashOf(text);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
