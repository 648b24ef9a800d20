/**
 * The metrics of a process. It counts nothing itself: counts lie in the arrays of `Counter` and `Histogram`, and are copied
 * when a scrape asks. `exposition.ts` makes the text of them.
 */

import { Counter } from "./counter.ts";
import type { Exposed, Exposition } from "./exposition.ts";
import { Histogram } from "./histogram.ts";
import type { MetricDefinition } from "./metrics.ts";

/** Takes one value of a gauge. */
export type Emit<L extends string> = (labels: Readonly<Record<L, string>>, value: number) => void;

/** Says all values of a gauge as they are now. */
export type GaugeReader<L extends string> = (emit: Emit<L>) => void;

/** Series of one metric, at most; `tulle_requests_total` of a sidecar with 100 peers has about 500. */
const defaultSeriesLimit = 2_000;

export class MetricRegistry {
  readonly contentType = "text/plain; version=0.0.4; charset=utf-8";
  readonly #labels: Readonly<Record<string, string>>;
  readonly #limit: number;
  /** Those that no scrape has seen yet. */
  #added: Exposed[] = [];
  #exposition: Promise<Exposition> | undefined;

  /** `labels` stand on every series: namespace, workload, pod. */
  constructor(options: { labels: Readonly<Record<string, string>>; seriesLimit?: number }) {
    this.#labels = options.labels;
    this.#limit = options.seriesLimit ?? defaultSeriesLimit;
  }

  counter<L extends string>(definition: MetricDefinition<L>): Counter<L> {
    const counter = new Counter(definition, this.#limit);
    this.#added.push({ kind: "counter", counter });
    return counter;
  }

  histogram<L extends string>(definition: MetricDefinition<L>): Histogram<L> {
    const histogram = new Histogram(definition, this.#limit);
    this.#added.push({ kind: "histogram", histogram });
    return histogram;
  }

  /** What `read` says at a scrape is all there is: a gauge keeps nothing from one scrape to the next. */
  gauge<L extends string>(definition: MetricDefinition<L>, read: GaugeReader<L>): void {
    this.#added.push({ kind: "gauge", definition, read });
  }

  /** The exposition format as text, to be sent with `contentType`. */
  async expose(): Promise<string> {
    this.#exposition ??= import("./exposition.ts").then(({ Exposition }) => new Exposition(this.#labels, this.#limit));
    const exposition = await this.#exposition;
    for (const exposed of this.#added.splice(0)) exposition.add(exposed);
    return exposition.text();
  }
}
