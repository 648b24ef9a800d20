/**
 * The label sets of one metric: each is registered once, and has a slot from then on. Their number is limited, whatever traffic
 * brings. It holds no counts.
 */

/** The value of a growing label once the limit is reached, or if its own value is absurdly long. */
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
   * `growing`: the labels whose values come from the cluster or from traffic, not from a list in the code. Past `limit` sets they
   * become `other` in each new set; the other labels keep their values.
   */
  constructor(names: readonly L[], growing: readonly L[], limit: number) {
    this.names = names;
    this.#growing = new Set(growing);
    this.#limit = limit;
  }

  get count(): number {
    return this.#sets.length - this.#free.length;
  }

  /** Changes whenever a slot is released: any slot that was remembered before must be looked up again. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Each slot in use, with its labels. A different object under a slot is a different label set. */
  get entries(): (readonly [slot: number, labels: Readonly<Record<L, string>>])[] {
    return this.#sets.flatMap((labels, slot) => (labels === undefined ? [] : [[slot, labels] as const]));
  }

  get all(): readonly Readonly<Record<L, string>>[] {
    return this.entries.map(([, labels]) => labels);
  }

  /** Returns the slot of a label set, which stays the same as long as `epoch` does. Not for the hot path: keep the result. */
  slot(labels: Readonly<Record<L, string>>): number {
    const known = this.#slots.get(this.#key(labels, false));
    if (known !== undefined) return known;
    return this.#register(labels, this.count >= this.#limit);
  }

  /** Frees the slot: the next new label set may get it. */
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
