/** `npm run bench -- NAME`: measures Tulle next to its peers, on one machine, in one run. */

import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "../../cli/usage-error.ts";
import type { Bench } from "./benches/bench.ts";
import { chainH1, chainH2 } from "./benches/chain.ts";
import { compile } from "./benches/compile.ts";
import { csr } from "./benches/csr.ts";
import { growth } from "./benches/growth.ts";
import { memory } from "./benches/memory.ts";
import { names } from "./benches/names.ts";
import { push } from "./benches/push.ts";
import { sampling } from "./benches/sampling.ts";
import { scale } from "./benches/scale.ts";
import { startup } from "./benches/startup.ts";
import { tcp } from "./benches/tcp.ts";
import { openGround } from "./ground.ts";
import { toJson, toText } from "./report.ts";
import { MissingTool, Tools } from "./tools.ts";

const benches: readonly Bench[] = [
  chainH1,
  chainH2,
  sampling,
  tcp,
  memory,
  startup,
  growth,
  names,
  compile,
  csr,
  push,
  scale,
];

interface Flags {
  readonly json?: string;
  readonly rounds?: number;
  readonly seconds?: number;
  readonly only?: readonly string[];
}

const failedExitCode = 1;
const usageExitCode = 2;

const examples = `
Benches:
${benches.map(({ name, says, defaults }) => `  ${name.padEnd(10)}  ${says} (${defaults.rounds} rounds)`).join("\n")}

Examples:
  $ npm run bench -- chain-h1
  $ npm run bench -- chain-h1 --rounds 2 --seconds 2 --only tulle,envoy-h2
  $ npm run bench -- memory --json memory.json

Only ratios within one run mean anything, and only on a machine that does little else: docs/performance.md says why.`;

async function bench(name: string, flags: Flags): Promise<void> {
  const bench = benches.find((one) => one.name === name);
  if (bench === undefined) {
    throw new UsageError(`there is no bench ${name}; there are ${benches.map((one) => one.name).join(", ")}`);
  }
  const { rounds = bench.defaults.rounds, seconds = bench.defaults.seconds, only, json } = flags;
  await using ground = await openGround(new Tools(process.env));
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const wants = (chain: string): boolean => only?.includes(chain) ?? true;
  const report = await bench.run(ground, { rounds, seconds, wants, progress });
  if (report.rows.length === 0) throw new UsageError(`--only ${only?.join(",") ?? ""}: there is nothing of that name`);
  process.stdout.write(`\n${toText(report)}`);
  if (json !== undefined) writeFileSync(json, toJson(report));
  for (const failure of report.failures ?? []) {
    process.stderr.write(`bench: ${name}: ${failure}\n`);
    process.exitCode = failedExitCode;
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("must be a whole number of at least 1");
  return value;
}

const program = new Command("bench")
  .description("Measures Tulle beside HAProxy, Envoy and nginx.")
  .argument("<name>", benches.map((one) => one.name).join(" | "))
  .option("--json <file>", "also write all rows and ratios there")
  .option("--rounds <n>", "how often every chain is measured", wholeNumber)
  .option("--seconds <n>", "how long each load lasts; of chains at 1,000/s, four times as long", wholeNumber)
  .option("--only <chains>", "some of the chains, by commas", (text: string) => text.split(","))
  .addHelpText("after", examples)
  .action(bench);

// Whatever was started ends when this process exits, for whatever reason.
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(1));
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof MissingTool)) throw error;
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = usageExitCode;
}
