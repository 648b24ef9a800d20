/** From a real folder to the snapshot: what an author does to files, and what sidecars would be told. */

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { allProblems, Pipeline } from "../../control-plane/pipeline.ts";
import { watchFolders } from "../../control-plane/source/folder.ts";
import { formatProblem } from "../../control-plane/source/problem.ts";
import { serviceYaml } from "../support/manifests.ts";

const services = ["catalog", "catalog-v1", "catalog-v2"].map((name) => serviceYaml(name)).join("");
const catalog = "catalog.shop.svc.cluster.local:80";

function split(weightOfV2: string): string {
  return `apiVersion: tulle.dev/v1alpha1
kind: TrafficSplit
metadata: { namespace: shop, name: catalog }
spec:
  service: catalog
  backends:
    - { service: catalog-v1, weight: 90 }
    - { service: catalog-v2, weight: ${weightOfV2} }
`;
}

let folder: string;
let stop: AbortController;
let pipeline: Pipeline;
let changes: number;
let onChange: () => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-pipeline-"));
  stop = new AbortController();
  pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  changes = 0;
  onChange = () => undefined;
  await writeFile(join(folder, "services.yaml"), services);
  await writeFile(join(folder, "policies.yaml"), split("10"));
  await watchFolders({
    folders: [folder],
    signal: stop.signal,
    onChange(change) {
      pipeline.apply(change);
      onChange();
    },
  });
  pipeline.snapshot.watch(() => changes++);
});

afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true, force: true });
});

function weights(): number[] | undefined {
  const resource = pipeline.snapshot.get("destination", catalog)?.resource;
  return resource?.kind === "destination" ? resource.value.routes[0]?.backends.map(({ weight }) => weight) : undefined;
}

function problems(): string[] {
  const statuses = pipeline.policyStatuses(() => undefined);
  return allProblems(pipeline.index, statuses).map((problem) => formatProblem(problem).replace(`${folder}/`, ""));
}

/** Resolves after the change that makes it so; the test's own time limit ends a wait in vain. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    onChange = () => {
      if (holds()) resolve();
    };
    onChange();
  });
}

it("applies an edited weight as one change", async () => {
  expect(weights()).toEqual([90, 10]);
  await writeFile(join(folder, "policies.yaml"), split("90"));
  await until(() => weights()?.[1] === 90);
  expect([changes, problems()]).toEqual([1, []]);
});

it.each([
  ["a negative weight", split("-1"), "policies.yaml:8 spec.backends[1].weight: must be at least 0, got -1"],
  ["a text for a weight", split('"10"'), 'policies.yaml:8 spec.backends[1].weight: must be a whole number, got "10"'],
  [
    "a misspelt field",
    split("10").replace("service: catalog\n", "servise: catalog\n"),
    "policies.yaml:5 spec.servise: unknown field",
  ],
  ["a misspelt kind", split("10").replace("TrafficSplit", "TraficSplit"), "policies.yaml:2 kind: must be one of"],
  ["malformed YAML", split("10 }}"), "policies.yaml:8: not readable as YAML: "],
  ["a half-written file", split("10").slice(0, -20), "policies.yaml:8: not readable as YAML: "],
])("leaves the old policy in force for %s, and says where and why", async (_case, text, problem) => {
  await writeFile(join(folder, "policies.yaml"), text);
  await until(() => problems().length > 0);
  expect(problems().join("\n")).toContain(problem);
  expect([weights(), changes]).toEqual([[90, 10], 0]);
  await writeFile(join(folder, "policies.yaml"), split("20"));
  await until(() => weights()?.[1] === 20 && problems().length === 0);
  expect(changes).toBe(1);
});

it("notifies nobody of a backend that an editor removes for a moment", async () => {
  await rename(join(folder, "services.yaml"), join(folder, "services.yaml~"));
  await rename(join(folder, "services.yaml~"), join(folder, "services.yaml"));
  await writeFile(join(folder, "policies.yaml"), split("50"));
  await until(() => weights()?.[1] === 50);
  expect(changes).toBe(1);
});
