import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { testCommand } from "../../../cli/policy-test/command.ts";
import { UsageError } from "../../../cli/usage-error.ts";
import { deploymentYaml, serviceYaml } from "../../support/manifests.ts";

const policies = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficSplit
metadata: { namespace: shop, name: catalog }
spec: { service: catalog, backends: [{ service: catalog-v1, weight: 2 }, { service: catalog-v2, weight: 1 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: RetryPolicy
metadata: { namespace: shop, name: catalog }
spec: { targetRefs: [{ kind: Service, name: catalog }], maxAttempts: 4 }
---
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: { namespace: shop, name: catalog }
spec:
  targetRefs: [{ kind: Service, name: catalog-v2 }]
  rules: [{ methods: [GET] }]
`;

let folder: string;
let stdout: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-test-"));
  const services = ["catalog", "catalog-v1", "catalog-v2"].map((name) => serviceYaml(name)).join("");
  const workloads = ["catalog-v1", "catalog-v2"].map((name) => deploymentYaml(name)).join("");
  writeFileSync(join(folder, "shop.yaml"), services + workloads + policies);
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

async function run(testFile: string): Promise<typeof process.exitCode> {
  const file = join(folder, "cases");
  writeFileSync(file, testFile);
  const words = ["test", "-f", join(folder, "shop.yaml"), file];
  await new Command("tulle").addCommand(testCommand()).parseAsync(words, { from: "user" });
  return process.exitCode;
}

function cases(...lines: string[]): string {
  const head =
    "apiVersion: tulle.dev/v1alpha1\nkind: PolicyTest\nmetadata: {namespace: shop, name: it}\nspec:\n  cases:\n";
  return head + lines.map((line) => `    - {${line}}\n`).join("");
}

const get = "when: {url: http://catalog/}";

it("passes if every named expectation is met", async () => {
  const held = [
    `${get}, expect: {}`,
    `${get}, expect: {route: TrafficSplit shop/catalog, backends: {catalog-v1: 66.67, shop/catalog-v2: 33.33}}`,
    `${get}, expect: {timeout: 0s, maxAttempts: 4, retried: ["503"], notRetried: ["500"], access: admitted}`,
    "when: {url: http://catalog-v1/}, expect: {maxAttempts: 2, retried: [connect-failure]}",
  ];
  expect(await run(cases(...held))).toBeUndefined();
  expect(stdout).toMatch(/\n\n4 passed, 0 failed\n$/);
});

it.each([
  ["route: none", "route: expected none, got TrafficSplit shop/catalog"],
  ["backends: {catalog-v1: 100}", "backends: expected 100 % for shop/catalog-v1, got 66.67 %"],
  ["backends: {catalog-v1: 66.67}", "backends: expected 0 % for shop/catalog-v2, got 33.33 %"],
  ["timeout: 1s", "timeout: expected 1s, got 0s"],
  ["maxAttempts: 3", "maxAttempts: expected 3, got 4"],
  ['retried: ["500"]', "retried: 500 is not tried again (not_retryable)"],
  ['notRetried: ["503"]', "notRetried: 503 is tried again"],
  ["retried: [teapot]", "retried: unknown outcome teapot, known are connect-failure, "],
  ["access: forbidden", "access: expected forbidden, got admitted of shop/catalog-v1:8080"],
])("fails if one is not met: %s", async (expectation, says) => {
  expect(await run(cases(`${get}, expect: {${expectation}}`))).toBe(1);
  expect(stdout).toContain(`✗ shop/it: GET http://catalog/  ${folder}/cases:6\n`);
  expect(stdout).toContain(`    ${says}`);
});

it("fails only the case whose request is invalid", async () => {
  const nowhere = "name: typo, when: {url: http://catlog/}, expect: {}";
  expect(await run(cases(nowhere, `${get}, expect: {}`))).toBe(1);
  expect(stdout).toMatch(/✗ shop\/it: typo .*\n {4}no Service for catlog\.shop\./);
  expect(stdout).toMatch(/1 passed, 1 failed\n$/);
});

it.each([
  [cases("when: {url: a}, expct: {}"), /cases:6 spec\.cases\[0\]\.expct: unknown field, did you mean expect\?\n/],
  [cases().replace("PolicyTest", "TrafficSplit"), /cases:1 kind: must be PolicyTest, got TrafficSplit/],
  ["{", /not readable as YAML/],
  ["", /holds no PolicyTest/],
])("refuses a file that is none of PolicyTests", async (file, message) => {
  const refused = run(file);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(message);
});

it("refuses a file that does not exist", async () => {
  const words = ["test", "-f", folder, join(folder, "nowhere.yaml")];
  const refused = new Command("tulle").addCommand(testCommand()).parseAsync(words, { from: "user" });
  await expect(refused).rejects.toThrow(/nowhere\.yaml: cannot be read: no such file or directory/);
});

it("holds the demo's policies to their own tests", async () => {
  const words = ["test", "-f", "deploy/demo", "deploy/policies_test.yaml"];
  await new Command("tulle").addCommand(testCommand()).parseAsync(words, { from: "user" });
  expect(process.exitCode).toBeUndefined();
  expect(stdout).toMatch(/3 passed, 0 failed\n$/);
});
