/**
 * Fuzzes: `npm run test:fuzz -- [TARGET ...] [--seconds N] [--inputs N] [--seed N] [--minimise]`.
 *
 * Each target has a thread of its own, as many at a time as there are cores, and this one watches them: an input that takes longer than some
 * seconds, or all memory, is a failure as well. What fails is written into the corpus, where `npm test` finds it again.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { CurrentInput, type SearchOptions, type SearchReport } from "./search.ts";
import { corpusOf, type Target } from "./target.ts";
import { targets } from "./targets.ts";

/** Longer than any input takes on a machine that does much else. */
const hangMs = 10_000;
const heapMegabytes = 512;
/** Of the time and of the inputs. */
const guidedShare = 1 / 3;

type Limits = Pick<SearchOptions, "seed" | "maxInputs" | "seconds" | "minimise">;

/** Guided, then free. */
async function search(target: Target, limits: Limits): Promise<SearchReport> {
  const { seed, maxInputs, seconds } = limits;
  const share = { maxInputs: Math.ceil(maxInputs * guidedShare), seconds: seconds * guidedShare };
  const guided = await searchInThread(target, { ...limits, ...share, found: undefined });
  if (guided.kind === "failed") return guided;
  if (guided.fewest !== undefined) replaceCorpus(target, guided.fewest);
  const free = await searchInThread(target, {
    seed: seed + 1,
    maxInputs: maxInputs - guided.inputs,
    seconds: seconds - guided.seconds,
    found: guided.corpus,
    minimise: false,
  });
  if (free.kind === "failed") return free;
  return { ...guided, inputs: guided.inputs + free.inputs, seconds: guided.seconds + free.seconds };
}

async function searchInThread(
  target: Target,
  options: Omit<SearchOptions, "current" | "target">,
): Promise<SearchReport> {
  const current = new CurrentInput();
  const { promise, resolve } = Promise.withResolvers<SearchReport>();
  const fail = (why: string): void => resolve({ kind: "failed", inputs: current.count, why });
  const thread = new Worker(new URL("searcher.ts", import.meta.url), {
    workerData: { ...options, target: target.name, current: current.memory } satisfies SearchOptions,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  thread.on("message", resolve);
  thread.on("error", (error: Error) => fail(error.stack ?? error.message));
  thread.on("exit", (code) => fail(`the thread ended with ${code}`));
  let before = -1;
  const watch = setInterval(() => {
    // Before the first input the thread is starting, which takes its time on a busy machine.
    if (current.count > 0 && current.count === before) fail(`takes longer than ${hangMs / 1000} s`);
    before = current.count;
  }, hangMs);
  const report = await promise;
  clearInterval(watch);
  await thread.terminate();
  if (report.kind === "failed") keep(target, current.bytes, report.why);
  return report;
}

function nameOf(input: Uint8Array): string {
  return createHash("sha256").update(input).digest("hex").slice(0, 12);
}

function keep(target: Target, input: Buffer, why: string): void {
  const name = `failed-${nameOf(input)}`;
  mkdirSync(corpusOf(target), { recursive: true });
  writeFileSync(new URL(name, corpusOf(target)), input);
  console.error(`${target.name} does not hold: ${why}`);
  console.error(`The input is test/fuzz/corpus/${target.name}/${name}: npm test -- test/fuzz checks it again.`);
}

/** Inputs that once failed stay for ever. */
function replaceCorpus(target: Target, corpus: readonly Uint8Array[]): void {
  const folder = corpusOf(target);
  for (const name of readdirSync(folder)) if (!name.startsWith("failed-")) rmSync(new URL(name, folder));
  for (const input of corpus) writeFileSync(new URL(nameOf(input), folder), input);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "30" },
    inputs: { type: "string", default: "Infinity" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    minimise: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(`no target ${unknown.join(", ")}; there are ${targets.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const seed = Number(values.seed);
await Promise.all(Array.from({ length: availableParallelism() }, searchNext));

/** One after the other until none is left. */
async function searchNext(): Promise<void> {
  for (let target = chosen.shift(); target !== undefined; target = chosen.shift()) {
    const report = await search(target, {
      seed,
      maxInputs: Number(values.inputs),
      seconds: Number(values.seconds),
      minimise: values.minimise,
    });
    if (report.kind === "failed") {
      process.exitCode = 1;
      continue;
    }
    const { inputs, seconds, found, reachedCharacters } = report;
    const reached = `${reachedCharacters} characters of source reached`;
    console.log(
      `${target.name}: ${inputs} inputs in ${seconds.toFixed(0)} s held, ${found} new, ${reached}, seed ${seed}`,
    );
  }
}
