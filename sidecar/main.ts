/**
 * The sidecar's process in a pod. It ends with 0 on SIGTERM, after a drain, and with 2 where its environment or its machine
 * does not let it run.
 */

import type { FieldError, Result } from "../model/result.ts";
import { jsonLog, reasonOf } from "../system/log.ts";
import { readConfig } from "./config.ts";
import { runSidecar } from "./run.ts";
import { fromControlPlane } from "./sources.ts";
import { parseAccessLogMode } from "./telemetry/access-log.ts";
import { parseSampler } from "./telemetry/sampling.ts";

const environmentExitCode = 2;

function orExit<T>(read: Result<T, FieldError | readonly FieldError[]>): T {
  if (read.ok) return read.value;
  for (const { path, message } of [read.error].flat()) process.stderr.write(`tulle-sidecar: ${path}: ${message}\n`);
  process.exit(environmentExitCode);
}

const config = orExit(readConfig(process.env));
const sampler = orExit(parseSampler(process.env));
const accessLog = orExit(parseAccessLogMode(process.env["TULLE_ACCESS_LOG"]));
const log = jsonLog("sidecar", "info", (line) => process.stderr.write(line));
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
try {
  await runSidecar({
    config,
    sampler,
    accessLog,
    log,
    stop: stop.signal,
    openSources: (signal) => fromControlPlane(config, log, signal),
  });
  process.exit(0);
} catch (error) {
  if (stop.signal.aborted) process.exit(0);
  process.stderr.write(`tulle-sidecar: ${reasonOf(error)}\n`);
  process.exit(environmentExitCode);
}
