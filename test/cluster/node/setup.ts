/**
 * Once for all scenarios: a node, the images of this checkout on it, both charts installed. A node that runs already is used,
 * and left running; one that was started here is taken down, unless TULLE_KEEP_NODE is set. With TULLE_NODE_AS_IS the node
 * has all of it already.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBundles } from "../../../deploy/build.ts";
import { bundle } from "../bundle.ts";
import { helm, kubectl, scenariosImage as named, run } from "./cluster.ts";

const root = join(import.meta.dirname, "../../..");
const scripts = join(root, "test/cluster");
const patienceMs = 20 * 60_000;
const scenariosImage = `library/${named}`;
const images = [
  ["tulle/init:0.1.0", "deploy/init.Dockerfile"],
  ["tulle/sidecar:0.1.0", "deploy/sidecar.Dockerfile"],
  ["tulle/control-plane:0.1.0", "deploy/control-plane.Dockerfile"],
  ["library/tulle-demo:0.1.0", "deploy/demo/Dockerfile"],
] as const;

/** Returns what ends it. */
export async function setup(): Promise<() => Promise<void>> {
  if (process.env["TULLE_NODE_AS_IS"] !== undefined) return async () => {};
  const ran = await isUp();
  // Neither needs the other; but for two cores that is enough at a time.
  await Promise.all([ran ? undefined : run(join(scripts, "up"), [], "", patienceMs), buildImages()]);
  await run(join(scripts, "image"), ["load", ...images.map(([tag]) => tag), scenariosImage], "", patienceMs);
  await install();
  return async () => {
    if (!ran && process.env["TULLE_KEEP_NODE"] === undefined) await run(join(scripts, "down"), []);
  };
}

async function buildImages(): Promise<void> {
  await ensureBundles();
  await run(process.execPath, [join(root, "deploy/demo/build.ts")]);
  await run(join(scripts, "image"), ["base"], "", patienceMs);
  for (const [tag, file] of images)
    await run(
      join(scripts, "image"),
      ["build", tag, "--build-context", `build=${root}`, "-f", join(root, file), root],
      "",
      patienceMs,
    );
  await buildScenarios();
}

async function buildScenarios(): Promise<void> {
  const source = join(import.meta.dirname, "scenarios");
  const context = join(root, "dist/scenarios");
  mkdirSync(context, { recursive: true });
  await bundle([join(source, "speak.ts"), join(source, "ask.ts")], context);
  await run(join(scripts, "image"), ["peers"], "", patienceMs);
  await run(
    join(scripts, "image"),
    ["build", scenariosImage, "-f", join(source, "Dockerfile"), context],
    "",
    patienceMs,
  );
}

export async function installCharts(...flags: readonly string[]): Promise<void> {
  await helm("upgrade", "--install", "tulle-crds", join(root, "charts/tulle-crds"), "--wait");
  const where = ["--namespace", "tulle-system", "--create-namespace", "--wait", "--timeout", "90s"];
  // Else the steps of a root's rotation would be most of the time of its drill.
  const quick = ["--set", "controlPlane.rotationPause=5s"];
  // Without --reset-values Helm goes on with the values of before.
  const values = ["--reset-values", ...quick, ...flags];
  await helm("upgrade", "--install", "tulle", join(root, "charts/tulle"), ...where, ...values);
}

export async function install(...flags: readonly string[]): Promise<void> {
  await installCharts(...flags);
  // A new image under an old name is no change to Helm.
  await kubectl("-n", "tulle-system", "rollout", "restart", "deployment/tulle-control-plane");
  await kubectl("-n", "tulle-system", "rollout", "status", "deployment/tulle-control-plane", "--timeout=90s");
}

async function isUp(): Promise<boolean> {
  return await kubectl("get", "--raw", "/readyz").then(
    () => true,
    () => false,
  );
}
