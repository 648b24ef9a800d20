/** Loads koffi, which calls C functions. A bundle has its platform's binary beside it; in a checkout the package finds it. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as Koffi from "koffi";

/** Throws if there is no binary for this platform. */
export function loadKoffi(): typeof Koffi {
  const load = createRequire(import.meta.url);
  const beside = join(import.meta.dirname, "koffi.node");
  return load(existsSync(beside) ? beside : "koffi") as typeof Koffi;
}
