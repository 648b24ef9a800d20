/**
 * The control plane's process, and with the argument `uninstall` the chart's hooks around `helm uninstall`. It ends with 0 on
 * SIGTERM or SIGINT, after sidecars were sent away, and with 2 where its arguments or its machine do not let it run: one plain
 * line on standard error says why.
 */

import { holdHeap } from "../system/hold-heap.ts";
import { jsonLog, reasonOf } from "../system/log.ts";
import { readConfig, usage } from "./config.ts";
import { startControlPlane } from "./control-plane.ts";
import { startTracing } from "./tracing.ts";
import { runUninstall } from "./uninstall/command.ts";

const environmentExitCode = 2;

function refuse(reason: string): never {
  process.stderr.write(`tulle-control-plane: ${reason}\n`);
  process.exit(environmentExitCode);
}

const args = process.argv.slice(2);
if (args.includes("--help")) {
  process.stdout.write(usage);
  process.exit(0);
}
if (args[0] === "uninstall") process.exit(await runUninstall(args.slice(1), (text) => process.stderr.write(text)));
const config = readConfig(args);
if (!config.ok) refuse(config.error);

const logThreshold = { level: config.value.logLevel };
const log = jsonLog("control-plane", logThreshold, (line) => process.stderr.write(line));
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
});
try {
  await holdHeap();
  const stopTracing = await startTracing(process.env);
  const clock = { now: () => performance.now() };
  // In a cluster that does not answer, the start takes until somebody stops it.
  const controlPlane = await Promise.race([startControlPlane(config.value, clock, log, logThreshold), stopped]);
  await stopped;
  await controlPlane?.stop();
  await stopTracing();
  process.exit(0);
} catch (error) {
  refuse(reasonOf(error));
}
