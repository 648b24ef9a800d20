/** `tulle test`: unit tests of policies. Requests and what must happen to them, judged by the sidecar's own code. */

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import type { Pipeline } from "../../control-plane/pipeline.ts";
import type { KubeObject } from "../../control-plane/source/kube-object.ts";
import { parseManifest } from "../../control-plane/source/manifest.ts";
import { formatProblem } from "../../control-plane/source/problem.ts";
import { describeRequest } from "../explain/described-request.ts";
import { explain } from "../explain/explanation.ts";
import { pipelineFacts } from "../explain/pipeline-facts.ts";
import { type MeshDomains, readPipeline, warnOfProblems } from "../folder-pipeline.ts";
import { type Paint, paintFor } from "../terminal.ts";
import { UsageError, unreadable } from "../usage-error.ts";
import { unmetExpectations } from "./judge.ts";
import { type PolicyCase, policyTestSpec } from "./policy-test.ts";

interface TestOptions extends MeshDomains {
  readonly folder: readonly string[];
  readonly output: "json" | "text";
}

export interface CaseResult {
  /** `shop/canary: testers get v2`. */
  readonly name: string;
  /** `tests/canary.yaml:7`. */
  readonly place: string;
  /** The expectations that were not met; empty: it passed. */
  readonly unmet: readonly string[];
}

const help = `
A file holds PolicyTests, a kind that no cluster knows: keep them beside the policies, not among them.
  apiVersion: tulle.dev/v1alpha1
  kind: PolicyTest
  metadata: { name: canary, namespace: shop }
  spec:
    cases:
      - name: testers get v2
        when: { method: GET, url: http://catalog/items, from: shop/web, headers: { x-canary: "1" } }
        expect: { backends: { catalog-v2: 100 }, timeout: 1s, retried: ["503"], access: admitted }
expect knows route, backends, timeout, maxAttempts, retried, notRetried and access; fields left out may have any value.
Exits with 1 if a case fails.

Examples:
  $ tulle test -f deploy/demo deploy/policies_test.yaml
  $ tulle test -f base -f overlay tests/*.yaml -o json | jq '.[] | select(.unmet != [])'`;

export function testCommand(): Command {
  const command = new Command("test");
  return command
    .description("run unit tests of policies: requests and their expected outcomes")
    .argument("<file...>", "YAML files of PolicyTests")
    .requiredOption("-f, --folder <path>", "a folder or file of Kubernetes YAML; may be repeated", collect)
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--trust-domain <domain>", "first part of the workloads' SPIFFE ids", "cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((files: readonly string[], options: TestOptions) => run(files, options));
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

async function run(files: readonly string[], options: TestOptions): Promise<void> {
  const tests: ReadTest[] = [];
  for (const file of files) tests.push(...(await readTests(file)));
  const pipeline = await readPipeline(options.folder, options);
  warnOfProblems(pipeline);
  const results = tests.flatMap((test) => runTest(test, pipeline, options));
  const paint = paintFor(process.stdout, process.env);
  process.stdout.write(
    options.output === "json" ? `${JSON.stringify(results, undefined, 2)}\n` : print(results, paint),
  );
  if (results.some(({ unmet }) => unmet.length > 0)) process.exitCode = 1;
}

interface ReadTest {
  readonly object: KubeObject;
  readonly cases: readonly PolicyCase[];
}

async function readTests(file: string): Promise<ReadTest[]> {
  const { objects, problems } = parseManifest(await readText(file), file);
  const [problem] = problems;
  if (problem !== undefined) throw new UsageError(formatProblem(problem));
  if (objects.length === 0) throw new UsageError(`${file}: holds no PolicyTest`);
  return objects.map((object) => ({ object, cases: casesOf(object) }));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
}

function casesOf({ kind, spec, origin }: KubeObject): readonly PolicyCase[] {
  if (kind !== "PolicyTest") {
    throw new UsageError(
      `${origin.file}:${origin.line} kind: must be PolicyTest, got ${kind}; policies are named with -f`,
    );
  }
  const parsed = policyTestSpec.parse(spec, "spec");
  if (parsed.ok) return parsed.value.cases;
  const lines = parsed.error.map(({ path, message }) => `${origin.file}:${origin.lineOf(path)} ${path}: ${message}`);
  throw new UsageError(lines.join("\n"));
}

function runTest({ object, cases }: ReadTest, pipeline: Pipeline, domains: MeshDomains): CaseResult[] {
  const { namespace, name } = object.metadata;
  return cases.map((one, index) => {
    const place = `${object.origin.file}:${object.origin.lineOf(`spec.cases[${index}]`)}`;
    const title = one.name ?? `${one.when.method} ${one.when.url}`;
    return { name: `${namespace}/${name}: ${title}`, place, unmet: judge(one, namespace, pipeline, domains) };
  });
}

/** A request that makes no sense for these policies fails its own case, not the whole run. */
function judge({ when, expect }: PolicyCase, namespace: string, pipeline: Pipeline, domains: MeshDomains): string[] {
  const { method, url, from = namespace } = when;
  const headers = [...when.headers].map(([name, value]) => `${name}: ${value}`);
  try {
    const request = describeRequest({ method, url, headers, from });
    return unmetExpectations(expect, explain(pipelineFacts(pipeline, domains), request), namespace);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [error.message];
  }
}

function print(results: readonly CaseResult[], paint: Paint): string {
  const lines = results.flatMap(({ name, place, unmet }) =>
    unmet.length === 0
      ? [`${paint("green", "✓")} ${name}`]
      : [`${paint("red", "✗")} ${name}  ${paint("dim", place)}`, ...unmet.map((line) => `    ${line}`)],
  );
  const failed = results.filter(({ unmet }) => unmet.length > 0).length;
  return `${[...lines, "", `${results.length - failed} passed, ${failed} failed`].join("\n")}\n`;
}
