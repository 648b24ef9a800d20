/**
 * Shows a process's metrics to Prometheus through prom-client, which writes the text. It counts nothing itself:
 * counts lie in the arrays of `Counter` and `Histogram`, and are copied when a scrape asks.
 */

import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from "prom-client";
import { Counter } from "./counter.ts";
import { exposedBoundsMs, Histogram } from "./histogram.ts";
import type { MetricDefinition } from "./metrics.ts";

/** Takes one value of a gauge. */
export type Emit<L extends string> = (labels: Readonly<Record<L, string>>, value: number) => void;

/** Says all values of a gauge as they are now. */
export type GaugeReader<L extends string> = (emit: Emit<L>) => void;

/** Series of one metric, at most; `tulle_requests_total` of a sidecar with 100 peers has about 500. */
const defaultSeriesLimit = 2_000;

export class MetricRegistry {
  readonly #prom = new Registry();
  readonly #limit: number;

  /** `labels` stand on every series: namespace, workload, pod. */
  constructor(options: { labels: Readonly<Record<string, string>>; seriesLimit?: number }) {
    this.#limit = options.seriesLimit ?? defaultSeriesLimit;
    this.#prom.setDefaultLabels(options.labels);
  }

  get contentType(): string {
    return this.#prom.contentType;
  }

  counter<L extends string>(definition: MetricDefinition<L>): Counter<L> {
    const counter = new Counter(definition, this.#limit);
    this.#prom.registerMetric(new ExposedCounter(counter));
    return counter;
  }

  histogram<L extends string>(definition: MetricDefinition<L>): Histogram<L> {
    const histogram = new Histogram(definition, this.#limit);
    this.#prom.registerMetric(new ExposedHistogram(histogram));
    return histogram;
  }

  /** What `read` says at a scrape is all there is: a gauge keeps nothing from one scrape to the next. */
  gauge<L extends string>(definition: MetricDefinition<L>, read: GaugeReader<L>): void {
    this.#prom.registerMetric(new ExposedGauge(definition, read, this.#limit));
  }

  /** The exposition format as text, to be sent with `contentType`. */
  expose(): Promise<string> {
    return this.#prom.metrics();
  }
}

/** In no registry yet: else prom-client puts it into its global one. */
function described(definition: MetricDefinition) {
  return { name: definition.name, help: definition.help, labelNames: definition.labels, registers: [] };
}

class ExposedCounter<L extends string> extends PromCounter {
  constructor(counter: Counter<L>) {
    const unlabelled = counter.definition.labels.length === 0;
    super({
      ...described(counter.definition),
      collect() {
        this.reset();
        if (unlabelled) this.inc(counter.value(0));
        else for (const [slot, labels] of counter.labelSets.all.entries()) this.inc(labels, counter.value(slot));
      },
    });
  }
}

class ExposedGauge<L extends string> extends PromGauge {
  /** Past the limit, what is read is left out: `other` would be nobody's state. */
  constructor(definition: MetricDefinition<L>, read: GaugeReader<L>, limit: number) {
    super({
      ...described(definition),
      collect() {
        this.reset();
        let left = limit;
        read((labels, value) => {
          if (left-- > 0) this.set(labels, value);
        });
      },
    });
  }
}

/** One line of the text. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** prom-client asks a histogram for its samples by `getForPromString`; its own are replaced by ours. */
class ExposedHistogram<L extends string> extends PromHistogram {
  readonly #histogram: Histogram<L>;

  constructor(histogram: Histogram<L>) {
    super({ ...described(histogram.definition), buckets: exposedBoundsMs.map((ms) => ms / 1_000) });
    this.#histogram = histogram;
  }

  getForPromString(): Promise<{ name: string; help: string; type: "histogram"; values: Sample[] }> {
    const { name, help } = this.#histogram.definition;
    const values = this.#histogram.labelSets.all.flatMap((labels, slot) => this.#samples(name, labels, slot));
    return Promise.resolve({ name, help, type: "histogram", values });
  }

  #samples(name: string, labels: Readonly<Record<L, string>>, slot: number): Sample[] {
    const count = this.#histogram.count(slot);
    const buckets = this.#histogram.cumulative(slot).map((value, i) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: (exposedBoundsMs[i] as number) / 1_000 },
      value,
    }));
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count },
      { metricName: `${name}_sum`, labels, value: this.#histogram.sumMs(slot) / 1_000 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
