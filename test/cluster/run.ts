/**
 * `npm run test:cluster`: what needs a real Kubernetes. `control-plane`: an API server, and beside it the drills in which one or
 * the other goes for 10 s, `node`: a whole node; all of them unless some are named. With `--long`, the API server goes for 2
 * minutes and the control plane for 10. Everything else is vitest's: names of files, its flags.
 *
 * With `$KUBECONFIG` and no part named, the scenarios of the control plane run against that cluster, and nothing else does: see
 * `given-cluster.ts` for what that makes there, and where it refuses.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { givenCluster, scenariosElsewhere, whatIsDone } from "./given-cluster.ts";

/** Those of one part run at the same time: the drills mostly wait. */
const configs = {
  "control-plane": ["vitest.cluster.config.ts", "vitest.outage.config.ts"],
  node: ["vitest.node.config.ts"],
} as const;

const long = { API_SERVER_OUTAGE_SECONDS: "120", CONTROL_PLANE_OUTAGE_SECONDS: "600" };

type Part = keyof typeof configs;

function isPart(word: string): word is Part {
  return Object.hasOwn(configs, word);
}

async function test(config: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn("vitest", ["run", "--config", config, "--passWithNoTests", ...args], { stdio: "inherit", env });
  const [code] = (await once(child, "exit")) as [number | null];
  return code === 0;
}

const words = process.argv.slice(2);
const given = process.env["KUBECONFIG"];
if (given !== undefined && given !== "" && !words.some(isPart)) {
  process.stderr.write(`${whatIsDone(given)}\n`);
  const env = { ...process.env, [givenCluster]: given };
  const left = scenariosElsewhere.flatMap((file) => ["--exclude", file]);
  const args = words.filter((word) => word !== "--long");
  process.exit((await test("vitest.cluster.config.ts", [...left, ...args], env)) ? 0 : 1);
}

const named = words.filter(isPart);
const parts: readonly Part[] = named.length > 0 ? named : ["control-plane", "node"];
const args = words.filter((word) => !isPart(word) && word !== "--long");
const env = { ...process.env, ...(words.includes("--long") && long) };

for (const part of parts) {
  const passed = await Promise.all(configs[part].map((config) => test(config, args, env)));
  if (passed.includes(false)) process.exit(1);
}
