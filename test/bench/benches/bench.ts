/** What every bench is given, and how rounds are taken. */

import type { Chain } from "../chain.ts";
import type { Ground } from "../ground.ts";
import type { Metrics, Report, Row } from "../report.ts";

export interface BenchOptions {
  readonly rounds: number;
  /** Of each load. */
  readonly seconds: number;
  /** Names of chains; absent: all. */
  readonly only: readonly string[] | undefined;
  readonly progress: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly says: string;
  readonly defaults: { readonly rounds: number; readonly seconds: number };
  run(ground: Ground, options: BenchOptions): Promise<Report>;
}

/** Measures every chain once a round, every second round backwards, so that no chain always follows the same other. */
export async function interleave(
  chains: readonly Chain[],
  options: BenchOptions,
  measure: (chain: Chain, round: number) => Promise<Metrics>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const chain of round % 2 === 0 ? chains : chains.toReversed()) {
      const metrics = await measure(chain, round);
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
