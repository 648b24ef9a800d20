/**
 * What a Grafana dashboard is, said shortly: what is shown, in which unit, by which query. `generate.ts` makes Grafana's
 * JSON of it; a test asks a real Prometheus every query.
 */

/** As Grafana calls them (https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts). */
export type Unit = "reqps" | "percentunit" | "s" | "short" | "bytes" | "Bps" | "ops" | "none";

export interface Query {
  readonly expr: string;
  /** How a series is called: `{{service}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly says: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

/** A choice at the top of the page; its values are those of a label. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
}

export interface Dashboard {
  /** Also the file's name. */
  readonly uid: string;
  readonly title: string;
  readonly variables: readonly Variable[];
  /** Side by side in each row. */
  readonly rows: readonly (readonly Panel[])[];
}

/** As long as the page's resolution asks for. */
export const range = "[$__rate_interval]";

/** Requests as their callers' sidecars counted them, so that each is counted once. */
export function requests(selector: string): string {
  return `rate(tulle_requests_total{direction="outbound"${selector === "" ? "" : `, ${selector}`}}${range})`;
}

/** What nobody asks for has neither: a division by 0 is no figure. */
function ofSome(expr: string): string {
  return `${expr} >= 0`;
}

/** The share that did not fail and was not given up by its caller. */
export function successShare(by: string, selector: string): string {
  const good = `sum by (${by}) (${requests(`result="success"${selector === "" ? "" : `, ${selector}`}`)})`;
  return ofSome(`${good} / sum by (${by}) (${requests(selector)})`);
}

/** Of the time that requests took, in seconds. */
export function quantile(share: number, by: string, selector: string): string {
  const buckets = `tulle_request_duration_seconds_bucket{direction="outbound"${selector === "" ? "" : `, ${selector}`}}`;
  return ofSome(`histogram_quantile(${share}, sum by (le, ${by}) (rate(${buckets}${range})))`);
}
