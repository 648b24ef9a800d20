/**
 * A histogram of durations as arrays. A value finds its bucket by the exponent and the first four bits of its mantissa,
 * so that no logarithm is taken and no list is searched.
 *
 * It counts finer than it exposes: 14 buckets a decade for quantiles, of which `exposedBoundsMs` are shown to Prometheus.
 * Both sets of bounds are exact, and a value on a bound belongs below it, as `le` says.
 */

import { LabelSets } from "./label-sets.ts";
import type { MetricDefinition } from "./metrics.ts";

const decade = [1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9];
const lowestMs = 0.1;
const decades = 6;

/** The upper bounds of the fine buckets, ascending. Values above the last bound are counted in one more bucket. */
const boundsMs = Array.from({ length: decades }, (_, power) =>
  decade.map((step) => (step * 10 ** power) / (1 / lowestMs)),
).flat();
const buckets = boundsMs.length + 1;

/** The bounds shown to Prometheus; each is also the bound of a fine bucket. */
export const exposedBoundsMs = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
const exposedBuckets = exposedBoundsMs.map((bound) => boundsMs.indexOf(bound));

/** Shares its bytes with `bits`, to read a number's exponent and mantissa. */
const float = new Float64Array(1);
const bits = new Uint32Array(float.buffer);
const highWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

function cellOf(value: number): number {
  float[0] = value;
  return (bits[highWord] as number) >>> 16;
}

/**
 * For each cell of equal exponent and mantissa bits, from that of the lowest bound on: the first bucket in which its values may
 * belong.
 */
const firstCell = cellOf(lowestMs);
const lastCell = cellOf(boundsMs.at(-1) as number);
const firstBucket = new Uint8Array(lastCell - firstCell + 1);
for (let cell = firstCell, bucket = 0; cell <= lastCell; cell++) {
  while (bucket < boundsMs.length && cellOf(boundsMs[bucket] as number) < cell) bucket++;
  firstBucket[cell - firstCell] = bucket;
}

function bucketOf(valueMs: number): number {
  const cell = cellOf(valueMs);
  if (cell < firstCell) return 0;
  if (cell > lastCell) return boundsMs.length;
  let bucket = firstBucket[cell - firstCell] as number;
  while (valueMs > (boundsMs[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
  return bucket;
}

/** An example of the values in a bucket, with the trace that it belongs to. */
export interface Exemplar {
  readonly traceId: string;
  readonly valueMs: number;
  /** On the sidecar's clock. */
  readonly atMs: number;
}

const exposedPerSlot = exposedBoundsMs.length + 1;

export class Histogram<L extends string> {
  readonly definition: MetricDefinition<L>;
  readonly labelSets: LabelSets<L>;
  #counts = new Float64Array(8 * buckets);
  #sumsMs = new Float64Array(8);
  /** The newest exemplar per slot and exposed bucket; empty as long as no trace is recorded. */
  readonly #exemplars = new Map<number, Exemplar>();

  constructor(definition: MetricDefinition<L>, limit: number) {
    this.definition = definition;
    this.labelSets = new LabelSets(definition.labels, definition.growing ?? [], limit);
  }

  /** The slot in which this label set is counted; see `Counter.slot`. */
  slot(labels: Readonly<Record<L, string>>): number {
    const slot = this.labelSets.slot(labels);
    if (slot >= this.#sumsMs.length) {
      this.#counts = grow(this.#counts);
      this.#sumsMs = grow(this.#sumsMs);
    }
    return slot;
  }

  /** Records a duration. A value below zero counts as zero. */
  record(slot: number, valueMs: number): void {
    const value = valueMs > 0 ? valueMs : 0;
    (this.#counts[slot * buckets + bucketOf(value)] as number)++;
    (this.#sumsMs[slot] as number) += value;
  }

  /**
   * Notes a recorded trace as an example of this duration. It allocates an object, so it is called only for recorded requests.
   */
  illustrate(slot: number, exemplar: Exemplar): void {
    const bucket = exposedBoundsMs.findIndex((bound) => exemplar.valueMs <= bound);
    this.#exemplars.set(slot * exposedPerSlot + (bucket === -1 ? exposedBoundsMs.length : bucket), exemplar);
  }

  /** `bucket`: the index of a bound in `exposedBoundsMs`, or one more for what is above all of them. */
  exemplar(slot: number, bucket: number): Exemplar | undefined {
    return this.#exemplars.get(slot * exposedPerSlot + bucket);
  }

  sumMs(slot: number): number {
    return this.#sumsMs[slot] ?? 0;
  }

  count(slot: number): number {
    return this.#slice(slot).reduce((sum, count) => sum + count, 0);
  }

  total(slot: number): number {
    return this.count(slot);
  }

  reset(slot: number): void {
    this.#slice(slot).fill(0);
    this.#sumsMs[slot] = 0;
    for (let bucket = 0; bucket < exposedPerSlot; bucket++) this.#exemplars.delete(slot * exposedPerSlot + bucket);
  }

  /** How many values were at or below each of `exposedBoundsMs`. */
  cumulative(slot: number): number[] {
    const counts = this.#slice(slot);
    let sum = 0;
    let bucket = 0;
    return exposedBuckets.map((last) => {
      while (bucket <= last) sum += counts[bucket++] ?? 0;
      return sum;
    });
  }

  /**
   * The value below which this share of all values lies (0.99: p99), interpolated within its bucket. Undefined: nothing was
   * counted.
   */
  quantileMs(slot: number, share: number): number | undefined {
    const counts = this.#slice(slot);
    const total = this.count(slot);
    if (total === 0) return undefined;
    let left = share * total;
    for (const [bucket, count] of counts.entries()) {
      if (count === 0 || left > count) {
        left -= count;
        continue;
      }
      const low = bucket === 0 ? 0 : (boundsMs[bucket - 1] as number);
      const high = boundsMs[bucket] ?? low;
      return low + ((high - low) * left) / count;
    }
    return boundsMs.at(-1);
  }

  #slice(slot: number): Float64Array {
    return this.#counts.subarray(slot * buckets, (slot + 1) * buckets);
  }
}

function grow(array: Float64Array): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(array.length * 2);
  grown.set(array);
  return grown;
}
