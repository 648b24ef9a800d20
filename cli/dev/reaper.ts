/**
 * A process that briefly outlives the supervisor: when its input ends, because the supervisor stopped or was killed, it ends
 * every process with the mesh's mark and removes the mesh's state folder.
 *
 *     node cli/dev/reaper.ts MARK STATE_FOLDER
 *
 * It does not carry the mark itself, and runs in its own session so that Ctrl-C does not reach it.
 */

import { rm } from "node:fs/promises";
import { sweep } from "./sweep.ts";

const graceMs = 2_000;
const [mark, stateFolder] = process.argv.slice(2);
if (mark === undefined || stateFolder === undefined) {
  console.error("usage: reaper.ts MARK STATE_FOLDER");
  process.exit(2);
}

process.stdin.resume();
process.stdin.once("close", () => {
  void sweep(mark, graceMs).then(() => rm(stateFolder, { recursive: true, force: true }));
});
