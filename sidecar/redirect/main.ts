/**
 * The init container's process: sets the redirect, tries it, and exits. With 2 it did not work and the pod must not start,
 * because its application would send plaintext.
 */

import { jsonLog } from "../../system/log.ts";
import { podFamilies, setRedirect } from "./apply.ts";
import { readSkipped } from "./config.ts";
import { tryRedirect } from "./verify.ts";

const environmentExitCode = 2;

function fail(reason: string): never {
  process.stderr.write(`tulle-init: ${reason}\n`);
  return process.exit(environmentExitCode);
}

const log = jsonLog("init", { level: "info" }, (line) => process.stderr.write(line));
const skipped = readSkipped(process.env);
if (!skipped.ok) fail(skipped.error.map(({ path, message }) => `${path}: ${message}`).join("; "));
const families = podFamilies();
const set = setRedirect(skipped.value, families);
if (!set.ok) fail(set.error);
for (const note of set.value) log("warn", "redirect", { note });
for (const family of families) {
  const wrong = await tryRedirect(family, skipped.value);
  if (wrong !== undefined) fail(wrong);
}
log("info", "redirect set and tried", { families });
process.exit(0);
