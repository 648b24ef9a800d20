/** Things with a namespace and a name, found by both. */

import { compareStrings } from "../source/problem.ts";

interface Named {
  readonly namespace: string;
  readonly name: string;
}

interface Namespace<T> {
  readonly names: Map<string, T>;
  /** Sorted by name; built on demand. */
  sorted: readonly T[] | undefined;
}

export class Table<T extends Named> {
  readonly #namespaces = new Map<string, Namespace<T>>();

  get(namespace: string, name: string): T | undefined {
    return this.#namespaces.get(namespace)?.names.get(name);
  }

  /** All of a namespace, sorted by name. */
  in(namespace: string): readonly T[] {
    const found = this.#namespaces.get(namespace);
    if (found === undefined) return [];
    found.sorted ??= [...found.names.values()].sort((a, b) => compareStrings(a.name, b.name));
    return found.sorted;
  }

  /** All there are, sorted by namespace and name. */
  all(): readonly T[] {
    return [...this.#namespaces.keys()].sort(compareStrings).flatMap((namespace) => this.in(namespace));
  }

  /** Adds a value, or removes the one with its name. */
  toggle(value: T, present: boolean): void {
    let namespace = this.#namespaces.get(value.namespace);
    if (namespace === undefined) {
      namespace = { names: new Map(), sorted: undefined };
      this.#namespaces.set(value.namespace, namespace);
    }
    namespace.sorted = undefined;
    if (present) namespace.names.set(value.name, value);
    else namespace.names.delete(value.name);
    if (namespace.names.size === 0) this.#namespaces.delete(value.namespace);
  }
}
