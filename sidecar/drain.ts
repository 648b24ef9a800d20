/**
 * The preStop hook of the sidecar's container. It is a program of its own, because starting the sidecar's would take twice as
 * long, and the end of a Job or a node waits for this hook. It exits with 0 once the sidecar knows, and with 2 if there is no
 * sidecar to tell.
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
