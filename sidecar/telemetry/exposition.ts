/**
 * Exposes metrics to Prometheus through prom-client, which writes the text. `registry.ts` loads it at the first scrape,
 * because loading it would delay the start.
 */

import {
  type OpenMetricsContentType,
  Counter as PromCounter,
  type PrometheusContentType,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from "prom-client";
import type { Counter } from "./counter.ts";
import { exposedBoundsMs, type Histogram } from "./histogram.ts";
import type { MetricDefinition } from "./metrics.ts";
import type { GaugeReader } from "./registry.ts";

/** The formats that a scraper may ask for; only OpenMetrics has exemplars. */
export type Format = "text" | "openmetrics";

/** A metric, as a registry knows it. */
export type Exposed =
  | { readonly kind: "counter"; readonly counter: Counter<string> }
  | { readonly kind: "histogram"; readonly histogram: Histogram<string> }
  | { readonly kind: "gauge"; readonly definition: MetricDefinition<string>; readonly read: GaugeReader<string> };

const contentTypes = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const;

export interface ExpositionOptions {
  readonly format: Format;
  /** The labels of every series. */
  readonly labels: Readonly<Record<string, string>>;
  readonly seriesLimit: number;
  /** Unix time in ms at which the sidecar's clock showed 0. */
  readonly epochMs: number;
}

export class Exposition {
  readonly #prom: Registry<PrometheusContentType | OpenMetricsContentType>;
  readonly #limit: number;
  readonly #epochMs: number;

  /**
   * prom-client renames counters for OpenMetrics, so a metric that was added to one format's exposition can't be added to the
   * other's.
   */
  constructor({ format, labels, seriesLimit, epochMs }: ExpositionOptions) {
    this.#prom = new Registry<PrometheusContentType | OpenMetricsContentType>();
    this.#prom.setContentType(contentTypes[format]);
    this.#prom.setDefaultLabels(labels);
    this.#limit = seriesLimit;
    this.#epochMs = epochMs;
  }

  get contentType(): string {
    return this.#prom.contentType;
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
        return new ExposedHistogram(exposed.histogram, this.#epochMs);
      case "gauge":
        return new ExposedGauge(exposed.definition, exposed.read, this.#limit);
    }
  }
}

/** `registers` is empty because prom-client would otherwise put the metric into its global registry. */
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
        else for (const [slot, labels] of counter.labelSets.entries) this.inc(labels, counter.value(slot));
      },
    });
  }
}

class ExposedGauge<L extends string> extends PromGauge {
  /** Past the limit, further values are left out: a state under `other` would be nobody's. */
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

/** One line of the exposed text. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Only OpenMetrics shows it. */
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string>>;
    readonly value: number;
    /** In seconds since 1970. */
    readonly timestamp: number;
  };
}

/** prom-client asks a histogram for its samples with `getForPromString`; ours replace its own. */
class ExposedHistogram<L extends string> extends PromHistogram {
  readonly #histogram: Histogram<L>;
  readonly #epochMs: number;

  constructor(histogram: Histogram<L>, epochMs: number) {
    super({ ...described(histogram.definition), buckets: exposedBoundsMs.map((ms) => ms / 1_000) });
    this.#histogram = histogram;
    this.#epochMs = epochMs;
  }

  getForPromString(): Promise<{ name: string; help: string; type: "histogram"; values: Sample[] }> {
    const { name, help } = this.#histogram.definition;
    const values = this.#histogram.labelSets.entries.flatMap(([slot, labels]) => this.#samples(name, labels, slot));
    return Promise.resolve({ name, help, type: "histogram", values });
  }

  #samples(name: string, labels: Readonly<Record<L, string>>, slot: number): Sample[] {
    const count = this.#histogram.count(slot);
    const buckets = this.#histogram.cumulative(slot).map((value, i) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: (exposedBoundsMs[i] as number) / 1_000 },
      value,
      ...this.#exemplar(slot, i),
    }));
    return [
      ...buckets,
      {
        metricName: `${name}_bucket`,
        labels: { ...labels, le: "+Inf" },
        value: count,
        ...this.#exemplar(slot, exposedBoundsMs.length),
      },
      { metricName: `${name}_sum`, labels, value: this.#histogram.sumMs(slot) / 1_000 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  #exemplar(slot: number, bucket: number): Pick<Sample, "exemplar"> {
    const exemplar = this.#histogram.exemplar(slot, bucket);
    if (exemplar === undefined) return {};
    const { traceId, valueMs, atMs } = exemplar;
    const timestamp = (this.#epochMs + atMs) / 1_000;
    return { exemplar: { labelSet: { trace_id: traceId }, value: valueMs / 1_000, timestamp } };
  }
}
