/** Parses Prometheus' text format, strictly enough to notice what Prometheus would refuse. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/gy;
/** Prometheus accepts any case, and prom-client writes this for metrics that it has not measured yet. */
const notANumber = /^nan$/i;

/** The samples by metric name; a histogram's are under `_bucket`, `_sum` and `_count`. Throws if it can't read a line. */
export function parseExposition(text: string): Map<string, Sample[]> {
  const series = new Map<string, Sample[]>();
  for (const row of text.split("\n")) {
    if (row === "" || row.startsWith("#")) continue;
    const [, name, labels = "", value = ""] = line.exec(row) ?? [];
    const number = Number(value.replace("Inf", "Infinity"));
    const isNumber = !Number.isNaN(number) || notANumber.test(value);
    if (name === undefined || !isNumber) throw new Error(`not a sample: ${row}`);
    const samples = series.get(name) ?? [];
    samples.push({ labels: parseLabels(labels, row), value: number });
    series.set(name, samples);
  }
  return series;
}

function parseLabels(text: string, row: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let read = 0;
  for (const [whole, name = "", value = ""] of text.matchAll(label)) {
    if (name in labels) throw new Error(`label ${name} twice: ${row}`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    read += whole.length;
  }
  if (read !== text.length) throw new Error(`not labels: ${row}`);
  return labels;
}
