import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { diffCommand } from "../../../cli/diff/command.ts";
import type { ResourceDiff } from "../../../cli/diff/resource-diff.ts";
import { UsageError } from "../../../cli/usage-error.ts";
import { deploymentYaml, serviceYaml } from "../../support/manifests.ts";

let folder: string;
let stdout: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-diff-"));
  for (const side of ["before", "after"]) {
    mkdirSync(join(folder, side));
    writeFileSync(join(folder, side, "shop.yaml"), serviceYaml("orders") + deploymentYaml("orders"));
    writeFileSync(join(folder, side, "policies.yaml"), policy);
  }
  stdout = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

const policy = `
apiVersion: tulle.dev/v1alpha1
kind: TimeoutPolicy
metadata: { namespace: shop, name: orders }
spec: { targetRefs: [{ kind: Service, name: orders }], request: 5s }
`;

async function diff(...args: string[]): Promise<typeof process.exitCode> {
  const folders = ["-f", join(folder, "after"), "--against", join(folder, "before")];
  await new Command("tulle").addCommand(diffCommand()).parseAsync(["diff", ...folders, ...args], { from: "user" });
  return process.exitCode;
}

it("treats a reformatted file as unchanged", async () => {
  const reformatted = `${policy.replace("request: 5s", "request: 5000ms, idle: 5m").replaceAll(", ", " ,  ")}# said again\n`;
  writeFileSync(join(folder, "after", "policies.yaml"), reformatted);
  expect(await diff()).toBeUndefined();
  expect(stdout).toBe("no difference\n");
});

it("shows the fields that a changed policy changes, and exits with 1", async () => {
  writeFileSync(join(folder, "after", "policies.yaml"), policy.replace("5s", "2s"));
  expect(await diff()).toBe(1);
  expect(stdout).toBe(
    "~ destination orders.shop.svc.cluster.local:80\n    routes[default].timeout.requestMs: 5000 → 2000\n",
  );
});

it("shows the effects of a new Service and of a removed workload", async () => {
  writeFileSync(join(folder, "after", "shop.yaml"), serviceYaml("orders") + serviceYaml("carts"));
  expect(await diff("-o", "json")).toBe(1);
  const diffs = JSON.parse(stdout) as ResourceDiff[];
  expect(diffs.map(({ kind, name, change }) => `${change} ${kind} ${name}`)).toEqual([
    "added destination carts.shop.svc.cluster.local:80",
    "added endpoints carts.shop.svc.cluster.local:80",
    "changed endpoints orders.shop.svc.cluster.local:80",
    "removed inbound shop/orders",
  ]);
  expect(diffs[2]?.fields.map(({ path }) => path)).toEqual([
    "endpoints[<orders-1>:8080]",
    "endpoints[<orders-2>:8080]",
  ]);
});

it.each([
  ["what is no YAML", "a: [", "1"],
  ["what is no Kubernetes object", "replicas: 2", "1"],
])("compares nothing if one side has %s, and names the line", async (_, text, line) => {
  for (const side of ["before", "after"]) {
    const file = join(folder, side, "broken.yaml");
    writeFileSync(file, text);
    await expect(diff()).rejects.toThrow(UsageError);
    await expect(diff()).rejects.toThrow(`broken.yaml:${line}`);
    rmSync(file);
  }
  expect(stdout).toBe("");
});
