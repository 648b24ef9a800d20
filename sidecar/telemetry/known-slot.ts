/** The slot of one label set: looked up once, and again if idle series were dropped meanwhile. */

interface Slotted<L extends string> {
  readonly labelSets: { readonly epoch: number };
  slot(labels: Readonly<Record<L, string>>): number;
}

export class KnownSlot<L extends string> {
  readonly #metric: Slotted<L>;
  readonly #labels: Readonly<Record<L, string>>;
  #epoch: number;
  #slot: number;

  constructor(metric: Slotted<L>, labels: Readonly<Record<L, string>>) {
    this.#metric = metric;
    this.#labels = labels;
    this.#epoch = metric.labelSets.epoch;
    this.#slot = metric.slot(labels);
  }

  get now(): number {
    const { epoch } = this.#metric.labelSets;
    if (epoch !== this.#epoch) {
      this.#slot = this.#metric.slot(this.#labels);
      this.#epoch = epoch;
    }
    return this.#slot;
  }
}
