/**
 * Finds who selects whom without comparing everything: labelled things are filed under each of their labels, selectors under
 * the first label that they require. Otherwise a namespace of a thousand Services and pods would need a million comparisons.
 */

import { selects } from "./pod.ts";

interface Named {
  readonly namespace: string;
  readonly name: string;
}

type Labels = ReadonlyMap<string, string>;

/** Lists of things, each filed under its labels; a thing appears once in a list. */
class Files<T extends Named> {
  readonly #files = new Map<string, Map<string, T>>();

  at(namespace: string, [key, value]: readonly [string, string]): ReadonlyMap<string, T> {
    return this.#files.get(fileName(namespace, key, value)) ?? nothing;
  }

  toggle(thing: T, [key, value]: readonly [string, string], present: boolean): void {
    const name = fileName(thing.namespace, key, value);
    const file = this.#files.get(name) ?? new Map<string, T>();
    if (present) file.set(thing.name, thing);
    else file.delete(thing.name);
    if (file.size > 0) this.#files.set(name, file);
    else this.#files.delete(name);
  }
}

const nothing = new Map<string, never>();

function fileName(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`;
}

export class Labelled<T extends Named & { readonly labels: Labels }> {
  readonly #files = new Files<T>();

  toggle(thing: T, present: boolean): void {
    for (const label of thing.labels) this.#files.toggle(thing, label, present);
  }

  /** Unordered; an empty selector selects nothing. */
  selectedBy(namespace: string, selector: Labels): T[] {
    let fewest: ReadonlyMap<string, T> | undefined;
    for (const label of selector) {
      const file = this.#files.at(namespace, label);
      if (fewest === undefined || file.size < fewest.size) fewest = file;
    }
    return [...(fewest ?? nothing).values()].filter(({ labels }) => selects(selector, labels));
  }
}

export class Selecting<T extends Named & { readonly selector: Labels }> {
  readonly #files = new Files<T>();

  toggle(thing: T, present: boolean): void {
    const [first] = thing.selector;
    if (first !== undefined) this.#files.toggle(thing, first, present);
  }

  /** The things whose selectors match these labels, unordered. */
  of(namespace: string, labels: Labels): T[] {
    const found: T[] = [];
    for (const label of labels)
      for (const thing of this.#files.at(namespace, label).values())
        if (selects(thing.selector, labels)) found.push(thing);
    return found;
  }
}
