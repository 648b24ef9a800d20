/**
 * Builds the shop's programs for its image: one file each in dist/demo/apps. `tulle dev` needs none of this, because it runs
 * the sources.
 */

import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "../..");
const programs = ["web", "orders", "payments", "catalog", "load"];

await build({
  entryPoints: programs.map((name) => join(root, `deploy/demo/apps/${name}.ts`)),
  outdir: join(root, "dist/demo/apps"),
  outExtension: { ".js": ".mjs" },
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  logLevel: "error",
  // CommonJS packages load Node's own modules with `require`.
  banner: { js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);' },
});
