/** Runs a tiny mesh from a folder until it is killed; for tests of what happens when the supervisor is killed. */

import { startMesh } from "../../../cli/dev/mesh.ts";
import { tinyBundles } from "./tiny-mesh.ts";

await startMesh({
  folder: process.argv[2] ?? "",
  env: process.env,
  report: (event) => console.log(JSON.stringify(event)),
  signal: new AbortController().signal,
  bundles: tinyBundles,
});
