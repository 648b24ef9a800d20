/**
 * Which resources anybody wants: a sidecar of this replica, or of another one. Destinations dialled by IP address are compiled
 * only while they are wanted, and the replica that writes statuses must know of them even if no sidecar of its own asks.
 */

import type { ResourceKind } from "../../model/resources.ts";
import { type ResourceKey, resourceKey } from "../push/resource-key.ts";

type Side = "here" | "elsewhere";

export class WantedResources {
  readonly #sides = new Map<ResourceKey, Set<Side>>();
  readonly #setWanted: (kind: ResourceKind, name: string, wanted: boolean) => void;

  /** `setWanted` is called with true when the first side wants a resource, and with false when none does any more. */
  constructor(setWanted: (kind: ResourceKind, name: string, wanted: boolean) => void) {
    this.#setWanted = setWanted;
  }

  set(side: Side, kind: ResourceKind, name: string, wanted: boolean): void {
    const key = resourceKey(kind, name);
    const sides = this.#sides.get(key) ?? new Set();
    const before = sides.size;
    if (wanted) sides.add(side);
    else sides.delete(side);
    if (sides.size === 0) this.#sides.delete(key);
    else this.#sides.set(key, sides);
    if ((before === 0) !== (sides.size === 0)) this.#setWanted(kind, name, wanted);
  }
}
