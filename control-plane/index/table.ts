/** Things that have a namespace and a name, found by both. */

import { compareStrings } from "../source/problem.ts";

interface Named {
  readonly namespace: string;
  readonly name: string;
}

export class Table<T extends Named> {
  readonly #namespaces = new Map<string, Map<string, T>>();

  get(namespace: string, name: string): T | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  /** All of a namespace, sorted by name. */
  in(namespace: string): readonly T[] {
    const entries = [...(this.#namespaces.get(namespace)?.values() ?? [])];
    return entries.sort((a, b) => compareStrings(a.name, b.name));
  }

  /** All there are, sorted by namespace and name. */
  all(): readonly T[] {
    return [...this.#namespaces.keys()].sort(compareStrings).flatMap((namespace) => this.in(namespace));
  }

  /** Puts a value in, or takes whatever has its name out. */
  toggle(value: T, present: boolean): void {
    let names = this.#namespaces.get(value.namespace);
    if (names === undefined) {
      names = new Map();
      this.#namespaces.set(value.namespace, names);
    }
    if (present) names.set(value.name, value);
    else names.delete(value.name);
    if (names.size === 0) this.#namespaces.delete(value.namespace);
  }
}
