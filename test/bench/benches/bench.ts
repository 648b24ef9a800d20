/** What every bench receives, and how rounds are run. */

import type { Ground } from "../ground.ts";
import type { Metrics, Report, Row } from "../report.ts";

export interface BenchOptions {
  readonly rounds: number;
  /** The duration of each load. */
  readonly seconds: number;
  /** Whether a chain, or a part of the bench, was selected. */
  readonly wants: (name: string) => boolean;
  readonly progress: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly says: string;
  readonly defaults: { readonly rounds: number; readonly seconds: number };
  run(ground: Ground, options: BenchOptions): Promise<Report>;
}

/** Measures every chain once a round, every second round backwards, so that no chain always follows the same other. */
export async function interleave<T extends { readonly name: string }>(
  chains: readonly T[],
  options: BenchOptions,
  measure: (chain: T) => Promise<Metrics>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const chain of round % 2 === 0 ? chains : chains.toReversed()) {
      const metrics = await measure(chain);
      rows.push({ chain: chain.name, round, metrics });
      options.progress(`round ${round + 1} of ${options.rounds}, ${chain.name}: ${inWords(metrics)}`);
    }
  }
  return rows;
}

function inWords(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}
