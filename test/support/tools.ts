/** Programs of others that a suite needs: built once with Go into a cache of the user's. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";

/** Paths of the built commands, in the order of `packages`. Ends the process with 2 where Go is missing or fails. */
export function goTools(name: string, version: string, packages: readonly string[]): string[] {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const bin = join(cache, "tulle-tools", `${name}-${version}`);
  const paths = packages.map((path) => join(bin, basename(path)));
  if (paths.every((path) => existsSync(path))) return paths;
  console.log(`${name}: building ${version} into ${bin} (once)`);
  const sources = packages.map((path) => `${path}@${version}`);
  const env = { ...process.env, GOBIN: bin };
  const { status, error } = spawnSync("go", ["install", ...sources], { stdio: "inherit", env });
  if (status === 0) return paths;
  console.error(
    `${name}: needs Go 1.24 or later to build it (https://go.dev/dl)${error === undefined ? "" : `: ${error.message}`}`,
  );
  return process.exit(2);
}
