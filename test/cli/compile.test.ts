import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { compileCommand } from "../../cli/compile.ts";
import { UsageError } from "../../cli/usage-error.ts";
import { deploymentYaml, serviceYaml } from "../support/manifests.ts";

let folder: string;
let stdout: string;
let stderr: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-compile-"));
  stdout = "";
  stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

async function compile(...args: string[]): Promise<typeof process.exitCode> {
  await new Command("tulle").addCommand(compileCommand()).parseAsync(["compile", ...args], { from: "user" });
  return process.exitCode;
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

const policy = `apiVersion: tulle.dev/v1alpha1
kind: RetryPolicy
metadata: { namespace: shop, name: orders }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  maxAttempts: 5
`;

it("counts what it read, and says that all is well", async () => {
  write("shop.yaml", serviceYaml("orders") + deploymentYaml("orders"));
  write("policies.yaml", policy);
  expect(await compile("-f", folder)).toBeUndefined();
  expect([stdout, stderr]).toEqual(["1 destination, 1 workload, 1 policy: 0 errors, 0 warnings\n", ""]);
});

it("prints one line per problem, with file, line, field and what is allowed, and exits with 1", async () => {
  write("shop.yaml", serviceYaml("orders"));
  write("policies.yaml", policy.replace("maxAttempts", "maxAttemps"));
  expect(await compile("-f", folder)).toBe(1);
  expect(stderr).toBe(`${folder}/policies.yaml:6 spec.maxAttemps: unknown field, did you mean maxAttempts?\n`);
});

it("does not fail for a warning", async () => {
  write("x.yaml", "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}}");
  expect(await compile("-f", folder)).toBeUndefined();
  expect(stderr).toMatch(/^[^\n]+x\.yaml:1 kind: warning: unknown kind [^\n]+\n$/);
});

it("prints what a workload's sidecar would receive, with placeholders for pods that do not run", async () => {
  write("shop.yaml", serviceYaml("orders") + deploymentYaml("orders"));
  await compile("-f", folder, "--for", "shop/orders", "-o", "json");
  const { resources } = JSON.parse(stdout) as { resources: { kind: string; value: unknown }[] };
  expect(resources.map(({ kind }) => kind)).toEqual(["inbound", "destination", "endpoints"]);
  expect(resources[2]?.value).toMatchObject({
    endpoints: [
      { address: "<orders-1>:8080", identity: "spiffe://cluster.local/ns/shop/sa/orders" },
      { address: "<orders-2>:8080" },
    ],
  });
});

it("prints YAML unless told otherwise", async () => {
  write("shop.yaml", deploymentYaml("orders"));
  await compile("-f", join(folder, "shop.yaml"), "--for", "shop/orders");
  expect(stdout).toMatch(
    /^resources:\n {2}- kind: inbound\n {4}version: "?[0-9a-f]{12}"?\n {4}value:\n {6}name: shop\/orders\n/,
  );
});

it("refuses an unknown workload, and a folder that can't be read", async () => {
  write("shop.yaml", deploymentYaml("orders"));
  await expect(compile("-f", folder, "--for", "shop/order")).rejects.toThrow(
    new UsageError("no workload shop/order; there are shop/orders"),
  );
  await expect(compile("-f", join(folder, "none"))).rejects.toThrow(UsageError);
});

it("finds nothing wrong with the demo", async () => {
  expect(await compile("-f", "deploy/demo")).toBeUndefined();
  expect(stderr).not.toContain("error");
});
