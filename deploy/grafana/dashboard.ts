/**
 * A short notation for Grafana dashboards: what is shown, in which unit, by which query. `generate.ts` turns it into Grafana's
 * JSON; a test sends every query to a real Prometheus.
 */

/** Grafana's names (https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts). */
export type Unit = "reqps" | "percentunit" | "s" | "short" | "bytes" | "Bps" | "ops" | "none";

export interface Query {
  readonly expr: string;
  /** The name of a series: `{{service}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly says: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

/** A selection at the top of the page, among the values of a label. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
}

export interface Dashboard {
  /** The dashboard's id, and the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly variables: readonly Variable[];
  /** The panels, side by side in each row. */
  readonly rows: readonly (readonly Panel[])[];
}

/** The length that suits the page's resolution. */
export const range = "[$__rate_interval]";

/** Requests as counted by their callers' sidecars, so that each is counted once. */
export function requests(selector: string): string {
  return `rate(tulle_requests_total{direction="outbound"${selector === "" ? "" : `, ${selector}`}}${range})`;
}

/** Drops the result of a division by 0, so that there is no figure without requests. */
function ofSome(expr: string): string {
  return `${expr} >= 0`;
}

/** The share of requests that did not fail and were not abandoned by their caller. */
export function successShare(by: string, selector: string): string {
  const good = `sum by (${by}) (${requests(`result="success"${selector === "" ? "" : `, ${selector}`}`)})`;
  return ofSome(`${good} / sum by (${by}) (${requests(selector)})`);
}

/** A quantile of the duration of requests, in seconds. */
export function quantile(share: number, by: string, selector: string): string {
  const buckets = `tulle_request_duration_seconds_bucket{direction="outbound"${selector === "" ? "" : `, ${selector}`}}`;
  return ofSome(`histogram_quantile(${share}, sum by (le, ${by}) (rate(${buckets}${range})))`);
}
