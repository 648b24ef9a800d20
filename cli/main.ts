/**
 * The `tulle` command. Exit codes: 0 all is well, 1 problems were found in what was asked about, 2 the command was wrong or
 * the machine did not let it run, 70 a bug. What the user can put right is one line on stderr; only a bug shows a stack trace.
 */

import { inspect } from "node:util";
import { Command, CommanderError } from "commander";
import { version } from "../system/version.ts";
import { certsCommand } from "./certs/command.ts";
import { checkCommand } from "./check/command.ts";
import { compileCommand } from "./compile.ts";
import { completionCommand } from "./completion/command.ts";
import { dashboardCommand } from "./dashboard.ts";
import { devCommand } from "./dev/command.ts";
import { diffCommand } from "./diff/command.ts";
import { edgesCommand } from "./edges/command.ts";
import { explainCommand } from "./explain/command.ts";
import { foldParagraphs } from "./help-text.ts";
import { injectCommand } from "./inject.ts";
import { logLevelCommand } from "./log-level.ts";
import { testCommand } from "./policy-test/command.ts";
import { sidecarCommand } from "./sidecar.ts";
import { statusCommand } from "./status.ts";
import { tapCommand } from "./tap/command.ts";
import { paintFor } from "./terminal.ts";
import { topCommand } from "./top.ts";
import { systemErrorCode, UsageError } from "./usage-error.ts";
import { versionCommand } from "./version.ts";

const usageExitCode = 2;
/** Where the output is no terminal; as the argument parser has it. */
const usualColumns = 80;
/** EX_SOFTWARE of sysexits.h. Node's own exit code is 1, which a pipeline would take for "it differs". */
const bugExitCode = 70;

const examples = `
Examples:
  $ tulle dev -f deploy/demo        a mesh on this machine
  $ tulle compile -f deploy/demo    is everything in this folder right?
  $ tulle help dev                  one command in detail`;

export function tulleCommand(): Command {
  return new Command("tulle")
    .description("A service mesh for Kubernetes, on this machine and in a cluster.")
    .version(version, "-V, --version", "print the version")
    .addHelpText("after", examples)
    .addCommand(devCommand())
    .addCommand(compileCommand())
    .addCommand(explainCommand())
    .addCommand(diffCommand())
    .addCommand(testCommand())
    .addCommand(statusCommand())
    .addCommand(topCommand())
    .addCommand(certsCommand())
    .addCommand(tapCommand())
    .addCommand(edgesCommand())
    .addCommand(checkCommand())
    .addCommand(logLevelCommand())
    .addCommand(sidecarCommand())
    .addCommand(injectCommand())
    .addCommand(dashboardCommand())
    .addCommand(versionCommand())
    .addCommand(completionCommand());
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}

async function main(): Promise<void> {
  process.on("uncaughtException", endByBug);
  endWhenNobodyReads();
  const program = tulleCommand();
  for (const command of allOf(program)) {
    const outputError = (text: string, write: (line: string) => void) => write(lineOf(text, command));
    command.exitOverride().configureOutput({ outputError, writeOut });
  }
  try {
    const [first, about] = process.argv.slice(2);
    if (first === "help" && about !== undefined) expectCommand(program, about);
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function writeOut(text: string): void {
  process.stdout.write(foldParagraphs(text, process.stdout.columns ?? usualColumns));
}

/** `tulle … | head`: a reader that stops early is no error. */
function endWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      if (systemErrorCode(error) !== "EPIPE") throw error;
      process.exit();
    });
  }
}

/** The argument parser's message as a single line, and where to read more. */
function lineOf(text: string, command: Command): string {
  const message = text
    .replace(/^error: (?:command-argument value )?/, "")
    .trim()
    .replace(/\n\(Did/g, " (did")
    .replace(/\.$/, "");
  return `${mark()} ${message}; see ${fullName(command)} --help\n`;
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** Reports a missing or unknown command; the argument parser alone would show the whole help. Throws a `UsageError`. */
function expectCommand(program: Command, name: string): void {
  const names = program.commands.map((command) => command.name());
  if (name !== "help" && !name.startsWith("-") && !names.includes(name))
    throw new UsageError(`no command ${name}; there are ${names.join(", ")}`);
}

function mark(): string {
  return paintFor(process.stderr, process.env)("red", "tulle:");
}

function exitCodeOf(error: unknown): number {
  // Commander has already printed its own line; help and version are not errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  if (!(error instanceof UsageError)) return endByBug(error);
  process.stderr.write(`${mark()} ${error.message}\n`);
  return usageExitCode;
}

function endByBug(error: unknown): never {
  process.stderr.write(`${mark()} this is a bug: ${inspect(error)}\n`);
  return process.exit(bugExitCode);
}

if (process.argv[1] === import.meta.filename) await main();
