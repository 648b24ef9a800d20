/** The thread that fuzzes one target. Whoever started it watches it. */

import { parentPort, workerData } from "node:worker_threads";
import { BlockCoverage } from "./coverage.ts";
import { fuzz, minimise } from "./fuzzer.ts";
import { CurrentInput, type SearchOptions, type SearchReport } from "./search.ts";
import { readCorpus } from "./target.ts";
import { targets } from "./targets.ts";

const options = workerData as SearchOptions;
parentPort?.postMessage(await search());

async function search(): Promise<SearchReport> {
  const target = targets.find(({ name }) => name === options.target);
  if (target === undefined) throw new Error(`no target ${options.target}`);
  const current = new CurrentInput(options.current);
  const onInput = (input: Buffer): void => current.set(input);
  const startMs = performance.now();
  const { found: foundBefore } = options;
  const coverage = foundBefore === undefined ? new BlockCoverage(target.sources) : undefined;
  const corpus = foundBefore?.map((input) => Buffer.from(input)) ?? [...readCorpus(target).values()];
  try {
    const result = await fuzz(target, {
      seed: options.seed,
      maxInputs: options.maxInputs,
      untilMs: startMs + options.seconds * 1000,
      corpus,
      coverage,
      onInput,
    });
    const seconds = (performance.now() - startMs) / 1000;
    const found = result.corpus.length - corpus.length;
    const reachedCharacters = coverage?.reachedCharacters ?? 0;
    const { inputs } = result;
    const isToMinimise = options.minimise && coverage !== undefined;
    const fewest = isToMinimise
      ? await minimise(target, result.corpus, new BlockCoverage(target.sources), onInput)
      : undefined;
    return { kind: "held", inputs, seconds, found, reachedCharacters, corpus: result.corpus, fewest };
  } catch (error) {
    return { kind: "failed", inputs: current.count, why: error instanceof Error ? (error.stack ?? "") : String(error) };
  }
}
