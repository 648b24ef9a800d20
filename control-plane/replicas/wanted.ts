/**
 * Which resources anybody wants: a sidecar of this replica, or one of another. What is dialled by IP address is compiled only
 * while it is wanted, and who writes its status must know it also where no sidecar of its own asks for it.
 */

import type { ResourceKind } from "../../model/resources.ts";
import { type ResourceKey, resourceKey } from "../push/resource-key.ts";

type Side = "here" | "elsewhere";

export class WantedResources {
  readonly #sides = new Map<ResourceKey, Set<Side>>();
  readonly #setWanted: (kind: ResourceKind, name: string, wanted: boolean) => void;

  /** `setWanted` is called with true when the first comes to want it, and with false when nobody does any more. */
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
