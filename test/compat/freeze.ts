/** `node bin/run.mjs node test/compat/freeze.ts VERSION`, once for each release: keeps what it speaks, for `protocol.test.ts` of later ones. */

import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { updateFor } from "./release.ts";

const [version = ""] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error("usage: node bin/run.mjs node test/compat/freeze.ts VERSION");
const root = join(import.meta.dirname, "../..");
const golden = join(root, "test/golden/compile");
const folder = join(import.meta.dirname, version);
mkdirSync(folder);
cpSync(join(root, "proto/tulle"), join(folder, "tulle"), { recursive: true });
const inputs = readdirSync(golden).filter((file) => file.endsWith(".in.yaml"));
const pushes = inputs.map((file) => {
  const manifest = readFileSync(join(golden, file), "utf8");
  return [file.replace(".in.yaml", ""), { manifest, update: updateFor(manifest, file).toString("base64") }];
});
writeFileSync(join(folder, "pushes.json"), `${JSON.stringify(Object.fromEntries(pushes), null, 2)}\n`);
