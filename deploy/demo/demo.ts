/**
 * `npm run demo`: the standalone mesh with the demo shop, live in the terminal; with `-- --once` it runs the tour instead,
 * which proves the mesh's claims one by one, and ends with 0 or 1.
 */

import { appendFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { Command, CommanderError } from "commander";
import { startMesh } from "../../cli/dev/mesh.ts";
import { onStopRequest, type StopRequest } from "../../cli/dev/stop-request.ts";
import { paintFor } from "../../cli/terminal.ts";
import { UsageError } from "../../cli/usage-error.ts";
import { DemoEvents } from "./live/demo-events.ts";
import { showLiveView } from "./live/live-view.ts";
import { runTour } from "./tour/tour.ts";

interface DemoOptions {
  readonly once?: true;
  readonly json?: string;
}

const usageExitCode = 2;
/** A tour that was interrupted has proven nothing. */
const interruptedExitCode = 130;
const settlePatienceMs = 30_000;

const command = new Command("demo")
  .description("a mesh on this machine with a small shop, live")
  .option("--once", "take the tour: prove each claim, print what was seen, end with 0 or 1")
  .option("--json <file>", "write what the tour saw as JSON")
  .exitOverride();

try {
  const options: DemoOptions = command.parse().opts();
  if (options.json !== undefined && !options.once) throw new UsageError("--json goes with --once");
  const stopRequest = onStopRequest();
  process.exitCode = await (options.once ? tour(options, stopRequest) : live(stopRequest));
  stopRequest.forget();
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`demo: ${error.message}\n`);
  else if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : usageExitCode;
}

async function live(stopRequest: StopRequest): Promise<number> {
  const { signal } = stopRequest;
  const folder = relative(process.cwd(), import.meta.dirname) || ".";
  const events = new DemoEvents((line) => process.stdout.write(`${line}\n`));
  const { report } = events;
  try {
    const mesh = await startMesh({ folder, env: process.env, report, signal });
    stopRequest.onSecond(() => mesh.kill());
    try {
      // If a program of the shop does not start, the rest can still be shown.
      await mesh.settled(AbortSignal.any([signal, AbortSignal.timeout(settlePatienceMs)])).catch(() => undefined);
      events.silent = process.stdout.isTTY;
      await showLiveView({ mesh, events, output: process.stdout, policyFile: `${folder}/policies.yaml`, signal });
    } finally {
      process.stdout.write("stopping\n");
      await mesh.stop();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return 0;
}

async function tour({ json }: DemoOptions, stopRequest: StopRequest): Promise<number> {
  const paint = paintFor(process.stdout, process.env);
  if (json !== undefined) requireWritable(json);
  try {
    const result = await runTour({ print: (line) => process.stdout.write(`${line}\n`), paint, stopRequest });
    if (json !== undefined) writeJson(json, result);
    return result.ok ? 0 : 1;
  } catch (error) {
    if (!stopRequest.signal.aborted) throw error;
    return interruptedExitCode;
  }
}

function writeJson(file: string, result: unknown): void {
  try {
    writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  } catch (error) {
    throw new UsageError(`--json: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Fail now rather than after the tour. */
function requireWritable(file: string): void {
  try {
    appendFileSync(file, "");
  } catch (error) {
    throw new UsageError(`--json ${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
