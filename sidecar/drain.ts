/**
 * The preStop hook of the sidecar's container, a program of its own: to start the sidecar's would take twice the time, and what
 * comes after the hook waits for it: the end of a Job, or of a node. It ends with 0 once the sidecar knows, and with 2 where
 * there is none to tell.
 */

import { reasonOf } from "../system/log.ts";
import { askToDrain } from "./drain-request.ts";

function fail(reason: string): never {
  process.stderr.write(`tulle-sidecar: ${reason}\n`);
  return process.exit(2);
}

const stateFolder = process.env["TULLE_STATE_DIR"] ?? fail("TULLE_STATE_DIR: must be set");
await askToDrain(stateFolder).catch((error: unknown) => fail(`no sidecar was asked to drain: ${reasonOf(error)}`));
process.exit(0);
