/**
 * The sidecar's process in a pod. It exits with 0 on SIGTERM, after a drain, and with 2 if its environment or its machine does
 * not let it run.
 */

import type { FieldError, Result } from "../model/result.ts";
import { jsonLog, reasonOf } from "../system/log.ts";
import { readConfig } from "./config.ts";
import { takeDrainRequests } from "./drain-request.ts";
import { runSidecar } from "./run.ts";
import { fromControlPlane } from "./sources.ts";
import { parseAccessLog } from "./telemetry/logged-requests.ts";
import { parseOtlpReceiver } from "./telemetry/otlp-receiver.ts";
import { parseSampler } from "./telemetry/sampling.ts";

const environmentExitCode = 2;

function orExit<T>(read: Result<T, FieldError | readonly FieldError[]>): T {
  if (read.ok) return read.value;
  for (const { path, message } of [read.error].flat()) process.stderr.write(`tulle-sidecar: ${path}: ${message}\n`);
  process.exit(environmentExitCode);
}

function fail(reason: string): never {
  process.stderr.write(`tulle-sidecar: ${reason}\n`);
  return process.exit(environmentExitCode);
}

const [argument] = process.argv.slice(2);
if (argument !== undefined) fail(`it takes no argument, got ${argument}`);

const config = orExit(readConfig(process.env));
const sampler = orExit(parseSampler(process.env));
const otlp = orExit(parseOtlpReceiver(process.env));
const accessLog = orExit(parseAccessLog(process.env["TULLE_ACCESS_LOG"]));
const logThreshold = { level: config.logLevel };
const log = jsonLog("sidecar", logThreshold, (line) => process.stderr.write(line));
const leave = new AbortController();
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
await takeDrainRequests(config.stateFolder, () => {
  log("info", "asked to leave");
  leave.abort();
}).catch((error: unknown) => log("warn", "drain requests are not taken", { reason: reasonOf(error) }));
try {
  await runSidecar({
    config,
    sampler,
    accessLog,
    otlp,
    log,
    logThreshold,
    leave: leave.signal,
    stop: stop.signal,
    openSources: (wheel, signal) => fromControlPlane(config, log, wheel, signal),
  });
  process.exit(0);
} catch (error) {
  if (stop.signal.aborted) process.exit(0);
  fail(reasonOf(error));
}
