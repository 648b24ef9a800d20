/**
 * Shows metrics to Prometheus through prom-client, which writes the text. `registry.ts` loads it at the first scrape: a start
 * has no time for it.
 */

import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from "prom-client";
import type { Counter } from "./counter.ts";
import { exposedBoundsMs, type Histogram } from "./histogram.ts";
import type { MetricDefinition } from "./metrics.ts";
import type { GaugeReader } from "./registry.ts";

/** A metric as a registry knows it. */
export type Exposed =
  | { readonly kind: "counter"; readonly counter: Counter<string> }
  | { readonly kind: "histogram"; readonly histogram: Histogram<string> }
  | { readonly kind: "gauge"; readonly definition: MetricDefinition<string>; readonly read: GaugeReader<string> };

export class Exposition {
  readonly #prom = new Registry();
  readonly #limit: number;

  constructor(labels: Readonly<Record<string, string>>, seriesLimit: number) {
    this.#prom.setDefaultLabels(labels);
    this.#limit = seriesLimit;
  }

  add(exposed: Exposed): void {
    this.#prom.registerMetric(this.#metric(exposed));
  }

  text(): Promise<string> {
    return this.#prom.metrics();
  }

  #metric(exposed: Exposed): PromCounter | PromGauge | PromHistogram {
    switch (exposed.kind) {
      case "counter":
        return new ExposedCounter(exposed.counter);
      case "histogram":
        return new ExposedHistogram(exposed.histogram);
      case "gauge":
        return new ExposedGauge(exposed.definition, exposed.read, this.#limit);
    }
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
