/** The search: mutates inputs, checks each, and keeps those that reach code which none before them has reached. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { seededRandom } from "../support/seeded-random.ts";
import type { BlockCoverage } from "./coverage.ts";
import { Mutator } from "./mutator.ts";
import { seedOf, type Target } from "./target.ts";

export interface FuzzOptions {
  readonly seed: number;
  readonly maxInputs: number;
  /** On the clock of `performance.now`. */
  readonly untilMs: number;
  readonly corpus: readonly Buffer[];
  /** Without it nothing guides the search. */
  readonly coverage: BlockCoverage | undefined;
  /** Hears of each input before it is checked. */
  readonly onInput: (input: Buffer) => void;
}

export interface FuzzResult {
  readonly inputs: number;
  /** The corpus, and what was found. */
  readonly corpus: readonly Buffer[];
}

/** Inputs between two looks at the coverage: few while there is much news, for then each batch is run again in halves. */
const batchSizes = { least: 8, most: 512 };

/** Rejects at the first input for which something does not hold: the last that `onInput` heard of. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const { coverage, maxInputs, untilMs, onInput } = options;
  const corpus = [...options.corpus];
  const mutator = new Mutator(target, corpus, seededRandom(options.seed));
  const run = async (inputs: readonly Buffer[]): Promise<void> => {
    for (const input of inputs) {
      onInput(input);
      await checkInput(target, input);
    }
    // A turn of the event loop: what the inputs left for its end would pile up.
    await nextTurn();
  };
  await run(corpus);
  coverage?.look(true);
  let inputs = corpus.length;
  let size = batchSizes.least;
  while (inputs < maxInputs && performance.now() < untilMs) {
    const batch = Array.from({ length: Math.min(size, maxInputs - inputs) }, () => mutator.next());
    await run(batch);
    inputs += batch.length;
    if (coverage?.look(false) !== true) {
      size = Math.min(size * 2, batchSizes.most);
      continue;
    }
    corpus.push(...(await findNews(batch, coverage, run)));
    size = batchSizes.least;
  }
  return { inputs, corpus };
}

export async function checkInput(target: Target, input: Buffer): Promise<void> {
  await target.check(input, seededRandom(seedOf(input)));
}

/** Halves a batch until it is known which inputs made it new. */
async function findNews(
  batch: readonly Buffer[],
  coverage: BlockCoverage,
  run: (inputs: readonly Buffer[]) => Promise<void>,
): Promise<Buffer[]> {
  await run(batch);
  const isOne = batch.length === 1;
  if (!coverage.look(isOne)) return [];
  if (isOne) return [...batch];
  const middle = batch.length >> 1;
  const first = await findNews(batch.slice(0, middle), coverage, run);
  return [...first, ...(await findNews(batch.slice(middle), coverage, run))];
}

/** The fewest inputs found that reach as much as all of them: the small ones first. */
export async function minimise(
  target: Target,
  corpus: readonly Buffer[],
  coverage: BlockCoverage,
  onInput: (input: Buffer) => void,
): Promise<readonly Buffer[]> {
  coverage.skip();
  const kept: Buffer[] = [];
  for (const input of corpus.toSorted((a, b) => a.length - b.length)) {
    onInput(input);
    await checkInput(target, input);
    if (coverage.look(true)) kept.push(input);
  }
  return kept;
}
