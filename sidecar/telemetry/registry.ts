/**
 * The metrics of a process. It counts nothing itself: counts are in the arrays of `Counter` and `Histogram`, and are
 * copied at each scrape. `exposition.ts` turns them into text.
 */

import { Counter } from "./counter.ts";
import type { Exposed, Exposition, Format } from "./exposition.ts";
import { Histogram } from "./histogram.ts";
import { IdleSeries } from "./idle-series.ts";
import type { MetricDefinition } from "./metrics.ts";

/** Receives one value of a gauge. */
export type Emit<L extends string> = (labels: Readonly<Record<L, string>>, value: number) => void;

/** Reports all current values of a gauge. */
export type GaugeReader<L extends string> = (emit: Emit<L>) => void;

/** The most series of one metric; `tulle_requests_total` of a sidecar with 100 peers has about 500. */
const defaultSeriesLimit = 2_000;
/** A series that has not grown for this long is dropped, unless all its labels come from a list in the code. */
const idleMs = 3_600_000;

export interface RegistryOptions {
  /** The labels on every series: namespace, workload, pod. */
  readonly labels: Readonly<Record<string, string>>;
  readonly seriesLimit?: number;
  /** Unix time in ms at which the sidecar's clock showed 0; default: that of `performance`. */
  readonly epochMs?: number;
}

/** The text of a scrape, and its content type. */
export interface Scrape {
  readonly type: string;
  readonly text: string;
}

export class MetricRegistry {
  readonly #options: Required<RegistryOptions>;
  readonly #exposed: Exposed[] = [];
  readonly #idle: IdleSeries[] = [];
  readonly #expositions = new Map<Format, FilledExposition>();

  constructor({ labels, seriesLimit = defaultSeriesLimit, epochMs = performance.timeOrigin }: RegistryOptions) {
    this.#options = { labels, seriesLimit, epochMs };
  }

  counter<L extends string>(definition: MetricDefinition<L>): Counter<L> {
    const counter = new Counter(definition, this.#options.seriesLimit);
    this.#exposed.push({ kind: "counter", counter });
    if (definition.growing !== undefined && definition.growing.length > 0) {
      this.#idle.push(new IdleSeries(counter, idleMs));
    }
    return counter;
  }

  histogram<L extends string>(definition: MetricDefinition<L>): Histogram<L> {
    const histogram = new Histogram(definition, this.#options.seriesLimit);
    this.#exposed.push({ kind: "histogram", histogram });
    this.#idle.push(new IdleSeries(histogram, idleMs));
    return histogram;
  }

  /** A scrape shows only what `read` reports at that time: a gauge keeps nothing from one scrape to the next. */
  gauge<L extends string>(definition: MetricDefinition<L>, read: GaugeReader<L>): void {
    this.#exposed.push({ kind: "gauge", definition, read });
  }

  /** Should be called about once a minute. */
  releaseIdle(nowMs: number): void {
    for (const idle of this.#idle) idle.release(nowMs);
  }

  /** Returns the text in the requested format; OpenMetrics includes exemplars. */
  async expose(format: Format = "text"): Promise<Scrape> {
    const filled = this.#expositions.get(format) ?? { made: this.#open(format), count: 0 };
    this.#expositions.set(format, filled);
    const exposition = await filled.made;
    for (; filled.count < this.#exposed.length; filled.count++) {
      exposition.add(this.#exposed[filled.count] as Exposed);
    }
    return { type: exposition.contentType, text: await exposition.text() };
  }

  async #open(format: Format): Promise<Exposition> {
    const { Exposition } = await import("./exposition.ts");
    return new Exposition({ format, ...this.#options });
  }
}

interface FilledExposition {
  readonly made: Promise<Exposition>;
  /** The number of metrics in it. */
  count: number;
}
