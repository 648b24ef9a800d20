/** `npm run check`: the checks that come before any tests, each a named step with its time. Stops at the first failure. */

import { spawnSync } from "node:child_process";

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["format", "biome", "check", "--error-on-warnings", "."],
  ["lint", "oxlint", "--type-aware", "--deny-warnings", "."],
  ["types", "tsc", "--project", "."],
  // Both use a browser's types, which nothing else must take for Node's.
  ["types of the dashboard's page", "tsc", "--project", "control-plane/dashboard/page"],
  ["types of its tests", "tsc", "--project", "test/browser"],
];

for (const [name, command, ...args] of steps) {
  const start = performance.now();
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (status !== 0) {
    console.error(`check: ${name} failed after ${seconds} s${error ? `: ${error.message}` : ""}`);
    process.exit(1);
  }
  console.log(`check: ${name} ok, ${seconds} s`);
}
