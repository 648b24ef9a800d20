/**
 * `npm run test:h2spec [-- SECTION ...]`: the HTTP/2 conformance suite h2spec (https://github.com/summerwind/h2spec) against
 * every port of a sidecar where HTTP/2 is spoken: see `ports.ts`, which runs in a network namespace of its own, since one of
 * the ports is reached by redirect only. Builds the suite with Go if it is not there.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { goTools } from "../support/tools.ts";

const [h2spec = ""] = goTools("h2spec", "v2.2.1+incompatible", ["github.com/summerwind/h2spec/cmd/h2spec"]);
const script = [process.execPath, join(import.meta.dirname, "ports.ts"), h2spec, ...process.argv.slice(2)];
const { status, error } = spawnSync("unshare", ["--map-root-user", "--net", ...script], { stdio: "inherit" });
if (error !== undefined) console.error(`h2spec: needs unshare (apt-get install util-linux): ${error.message}`);
process.exit(status ?? 2);
