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
  readonly #sets: Readonly<Record<L, string>>[] = [];

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
    return this.#sets.length;
  }

  /** The labels of each slot, by slot. */
  get all(): readonly Readonly<Record<L, string>>[] {
    return this.#sets;
  }

  /** The slot of a label set; the same set has the same slot for ever. Not for the hot path: keep what it returns. */
  slot(labels: Readonly<Record<L, string>>): number {
    const known = this.#slots.get(this.#key(labels, false));
    if (known !== undefined) return known;
    return this.#register(labels, this.#sets.length >= this.#limit);
  }

  #register(labels: Readonly<Record<L, string>>, full: boolean): number {
    const key = this.#key(labels, full);
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#sets.length;
    const kept: Record<L, string> = { ...labels };
    for (const name of this.names) kept[name] = this.#value(labels, name, full);
    this.#sets.push(kept);
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
