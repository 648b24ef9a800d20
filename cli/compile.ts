/** `tulle compile`: checks a folder of Kubernetes YAML as the control plane would, and shows the compiled result. */

import { Command } from "commander";
import { stringify } from "yaml";
import type { Pipeline } from "../control-plane/pipeline.ts";
import type { PublishedResource } from "../control-plane/snapshot.ts";
import { formatProblem, type Problem } from "../control-plane/source/problem.ts";
import { problemsOf, readPipeline } from "./folder-pipeline.ts";
import { thereAre } from "./known-names.ts";
import { UsageError } from "./usage-error.ts";

interface CompileOptions {
  readonly folder: readonly string[];
  readonly for?: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly output: "json" | "yaml";
}

const help = `
Prints one line per problem on stderr: file, line, field, and what is allowed. Exits with 1 if any of them is an error.
Without --for it only checks. A workload without Pods is shown with one placeholder per replica, "<orders-1>:8080".

Examples:
  $ tulle compile -f deploy/demo
  $ tulle compile -f deploy/demo --for shop/web
  $ tulle compile -f base -f overlay --for shop/web -o json | jq '.resources[].value.name'`;

export function compileCommand(): Command {
  const command = new Command("compile");
  return command
    .description("check a folder of Kubernetes YAML, and print what a workload's sidecar would receive")
    .requiredOption(
      "-f, --folder <path...>",
      "folders or files; an object in an earlier one can't be redefined in a later one",
    )
    .option("--for <namespace/workload>", "print the resources that this workload's sidecar would get")
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--trust-domain <domain>", "first part of the workloads' SPIFFE ids", "cluster.local")
    .addOption(command.createOption("-o, --output <format>", "of --for").choices(["json", "yaml"]).default("yaml"))
    .addHelpText("after", help)
    .action((options: CompileOptions) => run(options));
}

async function run(options: CompileOptions): Promise<void> {
  const pipeline = await readPipeline(options.folder, options);
  const problems = problemsOf(pipeline);
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  if (problems.some(isError)) process.exitCode = 1;
  if (options.for !== undefined) {
    process.stdout.write(format(resourcesFor(options.for, pipeline), options.output));
    return;
  }
  const { snapshot } = pipeline;
  const found = [
    count(snapshot.list("destination").length, "destination"),
    count(snapshot.list("inbound").length, "workload"),
    count(pipeline.policyStatuses(() => undefined).length, "policy", "policies"),
  ];
  const errors = problems.filter(isError).length;
  const verdict = [count(errors, "error"), count(problems.length - errors, "warning")];
  process.stdout.write(`${found.join(", ")}: ${verdict.join(", ")}\n`);
}

/** All Destinations and Endpoints, because the control plane can't know which of them a workload will dial. */
function resourcesFor(workload: string, { snapshot }: Pipeline): readonly PublishedResource[] {
  const inbound = snapshot.get("inbound", workload);
  if (inbound === undefined) {
    const names = snapshot.list("inbound").map(({ name }) => name);
    throw new UsageError(`no workload ${workload}; ${thereAre(names, workload)}`);
  }
  return [inbound, ...snapshot.list("destination"), ...snapshot.list("endpoints")];
}

function format(published: readonly PublishedResource[], output: CompileOptions["output"]): string {
  const resources = published.map(({ version, resource: { kind, value } }) => ({ kind, version, value }));
  if (output === "json") return `${JSON.stringify({ resources }, undefined, 2)}\n`;
  return stringify({ resources }, { lineWidth: 0, aliasDuplicateObjects: false });
}

function isError({ severity }: Problem): boolean {
  return severity === "error";
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
