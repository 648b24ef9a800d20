import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Asked, Finding } from "../../../cli/check/finding.ts";
import { interception } from "../../../cli/check/interception.ts";
import { readFolderObjects } from "../../../cli/folder-pipeline.ts";

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "shop",
    name: "web-1",
    labels: { app: "web" },
    annotations: { "tulle.dev/workload": "web", "tulle.dev/proxy-version": "0.1.0" },
  },
  spec: {
    initContainers: [{ name: "tulle-sidecar" }],
    containers: [{ name: "web", image: "example/web:1", ports: [{ containerPort: 8080 }] }],
  },
  status: { podIP: "10.0.0.1" },
};

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-check-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Of a pod that is not redirected, with such a policy over it. */
async function check(policy: string): Promise<readonly Finding[]> {
  const strict = `---\napiVersion: tulle.dev/v1alpha1\nkind: AccessPolicy\nmetadata: { namespace: shop, name: strict }\nspec: ${policy}\n`;
  writeFileSync(join(folder, "shop.yaml"), `${JSON.stringify(pod)}\n${strict}`);
  const asked: Pick<Asked, "pods" | "reading"> = {
    pods: () => Promise.resolve([pod]),
    reading: () => readFolderObjects([folder], { clusterDomain: "cluster.local", trustDomain: "cluster.local" }),
  };
  return interception.run(asked as Asked);
}

it.each([
  ["every port", "{ mtls: strict }"],
  ["a port that is declared", "{ ports: [8080], mtls: strict }"],
  ["a port that only the policy names", "{ ports: [9090], mtls: strict }"],
])("fails if %s requires strict mTLS and nothing is redirected", async (_case, policy) => {
  const found = await check(policy);
  expect(found.map(({ verdict, says }) => [verdict, says])).toEqual([
    ["fail", "strict does not hold for shop/web-1: nothing is redirected"],
  ]);
});

it.each([
  ["nothing is to be strict", "{ ports: [9090], mtls: permissive }"],
  ["other pods are", "{ selector: { matchLabels: { app: db } }, mtls: strict }"],
])("only warns if %s", async (_case, policy) => {
  const found = await check(policy);
  expect(found.map(({ verdict }) => verdict)).toEqual(["warn"]);
});
