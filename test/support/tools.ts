/** Third-party programs that a suite needs: built once with Go into a cache of the user's. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";

/** Paths of the built commands, in the order of `packages`. Ends the process with 2 if Go is missing or fails. */
export function goTools(name: string, version: string, packages: readonly string[]): string[] {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const bin = join(cache, "tulle-tools", `${name}-${version}`);
  const paths = packages.map((path) => join(bin, basename(path)));
  if (paths.every((path) => existsSync(path))) return paths;
  console.log(`${name}: building ${version} into ${bin} (once)`);
  const sources = packages.map((path) => `${path}@${version}`);
  const env = { ...process.env, GOBIN: bin };
  const { status } = spawnSync("go", ["install", ...sources], { stdio: "inherit", env });
  if (status === 0) return paths;
  console.error(`${name}: can't be built: ${whatGoLacks(spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" }))}`);
  return process.exit(2);
}

/** Judges the result of `go env GOVERSION`. */
export function whatGoLacks({
  status,
  stdout,
}: {
  readonly status: number | null;
  readonly stdout: string | null;
}): string {
  const [, found = "", major = "0", minor = "0"] = /(go(\d+)\.(\d+)\S*)/.exec(stdout ?? "") ?? [];
  const install = "Install Go 1.24 or later from https://go.dev/dl and put its bin first on the PATH";
  if (status !== 0 || found === "") return `there is no Go. ${install}.`;
  if (Number(major) > 1 || Number(minor) >= 24) return `${found} is here and new enough; its own words are above.`;
  return `${found} is too old, as distributions' packages often are. ${install}.`;
}
