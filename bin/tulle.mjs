// The `tulle` command on the Node that `bin/tulle` found. Plain JavaScript; the command itself is cli/main.ts.
import { fileURLToPath } from "node:url";
import { become, ensureInstalled, projectNode } from "./run.mjs";

ensureInstalled();
become(projectNode(), [fileURLToPath(new URL("../cli/main.ts", import.meta.url)), ...process.argv.slice(2)]);
