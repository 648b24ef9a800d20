/**
 * `npm run proto`: writes the types of `proto/tulle/v1` to `proto/generated`. A test fails when they are stale.
 * The options are those of `load.ts`: they decide what the loaded code does, these what the types say about it.
 */

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { protoFiles } from "./load.ts";

/** Throws where the generator can't be run. */
export function generate(outDir: string): void {
  rmSync(outDir, { recursive: true, force: true });
  const options = ["--longs=Number", "--enums=String", "--defaults", "--arrays", "--oneofs"];
  const output = ["--grpcLib=@grpc/grpc-js", "--importFileExtension=.ts", `--outDir=${outDir}`];
  const generator = join(import.meta.dirname, "../node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js");
  // Relative, since the generator writes the paths into its output.
  const args = [generator, ...protoFiles, ...options, ...output, "--includeDirs=."];
  const { status, error, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`proto-loader-gen-types ended with ${status}: ${stderr}`);
}

if (process.argv[1] === import.meta.filename) generate(join(import.meta.dirname, "generated"));
