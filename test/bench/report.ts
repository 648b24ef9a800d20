/** The results of a bench: one row per chain and round, the medians, and our figures in relation to each peer's. Pure. */

import { median } from "./statistics.ts";

export type Metrics = Readonly<Record<string, number>>;

export interface Row {
  readonly chain: string;
  readonly round: number;
  readonly metrics: Metrics;
}

/** How a table shows a metric. */
export interface Column {
  readonly metric: string;
  readonly says: string;
}

export interface Report {
  readonly bench: string;
  /** Which chain of ours is compared with this one, if any: our figure is divided by the peer's. */
  readonly ours: (peer: string) => string | undefined;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
  /** One line for each thing that is so and must not be. */
  readonly failures?: readonly string[];
}

export type Ratios = Readonly<Record<string, Metrics>>;

export function medianOf(rows: readonly Row[], chain: string, metric: string): number {
  return median(rows.filter((row) => row.chain === chain).map(({ metrics }) => metrics[metric] ?? Number.NaN));
}

/**
 * Ours divided by each peer's: the median of the ratios within each round, so that whatever slows a whole round cancels out.
 */
export function ratiosOf({ ours, rows, columns }: Report): Ratios {
  const ratios: Record<string, Record<string, number>> = {};
  for (const peer of chainsOf(rows)) {
    const name = ours(peer);
    if (name === undefined || name === peer) continue;
    const own = new Map(rows.filter(({ chain }) => chain === name).map(({ round, metrics }) => [round, metrics]));
    const ofPeer: Record<string, number> = {};
    for (const { metric } of columns) {
      const perRound = rows
        .filter(({ chain }) => chain === peer)
        .map(({ round, metrics }) => (own.get(round)?.[metric] ?? Number.NaN) / (metrics[metric] ?? 0));
      const ratio = median(perRound.filter(Number.isFinite));
      if (Number.isFinite(ratio)) ofPeer[metric] = round3(ratio);
    }
    ratios[peer] = ofPeer;
  }
  return ratios;
}

export function toJson(report: Report): string {
  const rows = report.rows.map(({ chain, round, metrics }) => ({ chain, round, ...rounded(metrics) }));
  return `${JSON.stringify({ bench: report.bench, rows, ratios: ratiosOf(report) }, undefined, 2)}\n`;
}

export function toText(report: Report): string {
  const { bench, rows, columns, notes } = report;
  const rounds = new Set(rows.map(({ round }) => round)).size;
  const names = columns.map(({ metric }) => metric);
  const medians = chainsOf(rows).map((chain) => [
    chain,
    ...names.map((metric) => format(medianOf(rows, chain, metric))),
  ]);
  const ratios = Object.entries(ratiosOf(report)).map(([peer, ofPeer]) => [
    peer,
    ...names.map((metric) => (ofPeer[metric] === undefined ? "" : ofPeer[metric].toFixed(2))),
  ]);
  return [
    `${bench}: medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}`,
    table(["", ...names], medians),
    "",
    ...(ratios.length === 0 ? [] : ["ours to each (medians of per-round ratios)"]),
    ...(ratios.length === 0 ? [] : [table(["", ...names], ratios), ""]),
    ...columns.map(({ metric, says }) => `${metric.padEnd(12)} ${says}`),
    ...notes.map((note) => `note: ${note}`),
    "",
  ].join("\n");
}

function chainsOf(rows: readonly Row[]): readonly string[] {
  return [...new Set(rows.map(({ chain }) => chain))];
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((line) => (line[column] ?? "").length)));
  const pad = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return all.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function rounded(metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, round3(value)]));
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function format(value: number): string {
  if (!Number.isFinite(value)) return "";
  return value >= 1_000 ? value.toFixed(0) : value.toFixed(2);
}
