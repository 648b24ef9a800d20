/** A counter with labels as an array: registering a label set costs a map look-up, counting one array access. */

import { LabelSets } from "./label-sets.ts";
import type { MetricDefinition } from "./metrics.ts";

export class Counter<L extends string> {
  readonly definition: MetricDefinition<L>;
  readonly labelSets: LabelSets<L>;
  #counts = new Float64Array(8);

  constructor(definition: MetricDefinition<L>, limit: number) {
    this.definition = definition;
    this.labelSets = new LabelSets(definition.labels, definition.growing ?? [], limit);
  }

  /**
   * The slot in which this label set is counted. Past the limit of label sets, many share a slot whose growing labels say
   * `other`.
   */
  slot(labels: Readonly<Record<L, string>>): number {
    const slot = this.labelSets.slot(labels);
    if (slot >= this.#counts.length) {
      const grown = new Float64Array(this.#counts.length * 2);
      grown.set(this.#counts);
      this.#counts = grown;
    }
    return slot;
  }

  increment(slot: number): void {
    (this.#counts[slot] as number)++;
  }

  add(slot: number, amount: number): void {
    (this.#counts[slot] as number) += amount;
  }

  value(slot: number): number {
    return this.#counts[slot] ?? 0;
  }

  total(slot: number): number {
    return this.value(slot);
  }

  reset(slot: number): void {
    this.#counts[slot] = 0;
  }
}
