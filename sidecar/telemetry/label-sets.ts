/**
 * The label sets of one metric, each registered once and known by a slot from then on.
 * It bounds their number, whatever traffic brings; it holds no counts.
 */

/** What a growing label says once the limit is reached, or where a value is absurdly long. */
export const otherValue = "other";

const longestValue = 253;

export class LabelSets<L extends string> {
  readonly names: readonly L[];
  readonly #growing: ReadonlySet<L>;
  readonly #limit: number;
  readonly #slots = new Map<string, number>();
  readonly #sets: (Readonly<Record<L, string>> | undefined)[] = [];
  readonly #free: number[] = [];
  #epoch = 0;

  /**
   * `growing` are the labels whose values come from the cluster or from traffic, and not from a list in the code.
   * Past `limit` sets they become `other` in each new one, while the labels that can't grow stay as they are.
   */
  constructor(names: readonly L[], growing: readonly L[], limit: number) {
    this.names = names;
    this.#growing = new Set(growing);
    this.#limit = limit;
  }

  get count(): number {
    return this.#sets.length - this.#free.length;
  }

  /** Changes whenever a slot has been released: what was kept of any of them before is to be found anew. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Each slot in use, and its labels. An object that is not the one of before is another label set. */
  get entries(): (readonly [slot: number, labels: Readonly<Record<L, string>>])[] {
    return this.#sets.flatMap((labels, slot) => (labels === undefined ? [] : [[slot, labels] as const]));
  }

  get all(): readonly Readonly<Record<L, string>>[] {
    return this.entries.map(([, labels]) => labels);
  }

  /** The slot of a label set, the same one while `epoch` is. Not for the hot path: keep what it returns. */
  slot(labels: Readonly<Record<L, string>>): number {
    const known = this.#slots.get(this.#key(labels, false));
    if (known !== undefined) return known;
    return this.#register(labels, this.count >= this.#limit);
  }

  /** The slot is another label set's from now on, should one come. */
  release(slot: number): void {
    const labels = this.#sets[slot];
    if (labels === undefined) return;
    this.#slots.delete(this.#key(labels, false));
    this.#sets[slot] = undefined;
    this.#free.push(slot);
    this.#epoch++;
  }

  #register(labels: Readonly<Record<L, string>>, full: boolean): number {
    const key = this.#key(labels, full);
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#sets.length;
    const kept: Record<L, string> = { ...labels };
    for (const name of this.names) kept[name] = this.#value(labels, name, full);
    this.#sets[slot] = kept;
    this.#slots.set(key, slot);
    return slot;
  }

  #key(labels: Readonly<Record<L, string>>, full: boolean): string {
    let key = "";
    for (const name of this.names) key += `${this.#value(labels, name, full)}\u0000`;
    return key;
  }

  #value(labels: Readonly<Record<L, string>>, name: L, full: boolean): string {
    const value = labels[name];
    return this.#growing.has(name) && (full || value.length > longestValue) ? otherValue : value;
  }
}
