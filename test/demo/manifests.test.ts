import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readDeployment } from "../../cli/dev/deployments.ts";
import { readFolders } from "../../control-plane/source/folder.ts";

const root = join(import.meta.dirname, "../..");

it("compiles without an error or a warning", () => {
  const args = [join(root, "cli/main.ts"), "compile", "-f", "deploy/demo"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toContain("0 errors, 0 warnings");
});

it("says for every Deployment how it runs on one machine", async () => {
  const { applied } = await readFolders([join(root, "deploy/demo")]);
  const deployments = applied.filter(({ kind }) => kind === "Deployment").map(readDeployment);
  expect(deployments).toHaveLength(6);
  expect(deployments.filter(({ ok }) => !ok)).toEqual([]);
});
