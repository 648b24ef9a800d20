/**
 * The `tulle` command. Exit codes: 0 all is well, 1 problems were found in what was asked about, 2 the command was wrong or
 * the machine did not let it run. What the user can put right is one line on stderr; only a bug shows a stack trace.
 */

import { Command, CommanderError } from "commander";
import { version } from "../system/version.ts";
import { certsCommand } from "./certs/command.ts";
import { checkCommand } from "./check/command.ts";
import { compileCommand } from "./compile.ts";
import { completionCommand } from "./completion/command.ts";
import { dashboardCommand } from "./dashboard.ts";
import { devCommand } from "./dev/command.ts";
import { diffCommand } from "./diff.ts";
import { edgesCommand } from "./edges/command.ts";
import { explainCommand } from "./explain/command.ts";
import { injectCommand } from "./inject.ts";
import { logLevelCommand } from "./log-level.ts";
import { testCommand } from "./policy-test/command.ts";
import { sidecarCommand } from "./sidecar.ts";
import { statusCommand } from "./status.ts";
import { tapCommand } from "./tap/command.ts";
import { paintFor } from "./terminal.ts";
import { topCommand } from "./top.ts";
import { UsageError } from "./usage-error.ts";
import { versionCommand } from "./version.ts";

const usageExitCode = 2;

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
  const program = tulleCommand();
  for (const command of allOf(program)) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  // Commander has printed its own line, help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${paintFor(process.stderr, process.env)("red", "tulle:")} ${error.message}\n`);
  return usageExitCode;
}

if (process.argv[1] === import.meta.filename) await main();
