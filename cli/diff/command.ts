/** `tulle diff`: what a change to YAML would change for sidecars. */

import { Command } from "commander";
import type { Pipeline } from "../../control-plane/pipeline.ts";
import type { Holdings } from "../../control-plane/push/push-hub.ts";
import type { KubeObject } from "../../control-plane/source/kube-object.ts";
import { formatProblem } from "../../control-plane/source/problem.ts";
import { addClusterOptions, type Cluster, type ClusterOptions, openCluster } from "../cluster/cluster.ts";
import { readClusterPipeline, readDomains } from "../cluster/cluster-pipeline.ts";
import { type MeshDomains, problemsOf, readFolderObjects, warnOfProblems } from "../folder-pipeline.ts";
import { readHoldings } from "../mesh-client.ts";
import { type Paint, paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { applyTo, pipelineAfter } from "./applied.ts";
import { diffHeld, diffPipelines, type ResourceDiff } from "./resource-diff.ts";
import type { Change } from "./structural-diff.ts";

interface DiffOptions extends ClusterOptions, Partial<MeshDomains> {
  readonly folder: readonly string[];
  readonly against?: readonly string[];
  readonly output: "json" | "text";
}

const differenceExitCode = 1;

const help = `
Compares what both sides compile to, not their text: a reformatted file is no difference, but a changed default is.
Without --against it compares the cluster as it is with the cluster after "kubectl apply -f", and names the workloads whose
sidecars have the resources that differ. That requires the right to list what the control plane lists and, for the names, to
forward ports of its pods. Nothing is applied. Objects not in the files are assumed to stay, and pods are those running now.
Objects without a namespace are assumed to be in "default", whatever the kubeconfig's context says.
With --against it compares two folders: Destinations and Endpoints concern every workload that calls the Service.

Exits with 1 if something differs, with 0 if nothing does, and with 2 if either side can't be read completely.

Examples:
  $ tulle diff -f new-timeout.yaml
  $ tulle diff -f policies/ -o json | jq -r '[.[].workloads[]] | unique[]'
  $ tulle diff -f deploy/demo --against /tmp/demo-on-main
  $ git worktree add /tmp/main main && tulle diff -f policies --against /tmp/main/policies`;

export function diffCommand(): Command {
  const command = new Command("diff");
  return addClusterOptions(command)
    .description("show what a change of YAML would change for sidecars")
    .requiredOption("-f, --folder <path...>", "folders or files with the change")
    .option("--against <path...>", "folders or files without the change; default: the cluster")
    .option("--cluster-domain <domain>", "domain of the cluster's DNS; default: the cluster's, else cluster.local")
    .option("--trust-domain <domain>", "first part of SPIFFE ids; default: the cluster's, else cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: DiffOptions) => run(options));
}

async function run(options: DiffOptions): Promise<void> {
  const { folder, against } = options;
  const diffs = against === undefined ? await againstCluster(options) : await againstFolder(folder, against, options);
  const paint = paintFor(process.stdout, process.env);
  process.stdout.write(options.output === "json" ? `${JSON.stringify(diffs, undefined, 2)}\n` : print(diffs, paint));
  if (diffs.length > 0) process.exitCode = differenceExitCode;
}

async function againstFolder(
  folder: readonly string[],
  against: readonly string[],
  { clusterDomain = "cluster.local", trustDomain = "cluster.local" }: Partial<MeshDomains>,
): Promise<ResourceDiff[]> {
  const domains = { clusterDomain, trustDomain };
  const before = await readWhole(against, domains);
  const after = await readWhole(folder, domains);
  warnOfProblems(after.pipeline);
  return diffPipelines(before.pipeline, after.pipeline);
}

async function againstCluster(options: DiffOptions): Promise<ResourceDiff[]> {
  const cluster = await openCluster(options);
  try {
    const known = await readDomains(cluster);
    const { clusterDomain = known.clusterDomain, trustDomain = known.trustDomain } = options;
    const domains = { clusterDomain: clusterDomain ?? "cluster.local", trustDomain: trustDomain ?? "cluster.local" };
    const wanted = await readWhole(options.folder, domains);
    const { pipeline: before, objects: current } = await readClusterPipeline(cluster, domains);
    const { objects, ignored } = applyTo(current, wanted.objects, new Date().toISOString());
    const after = pipelineAfter(current, objects, wanted.problems, domains);
    warnOfNews(before, after);
    warnOfIgnored(ignored);
    const holdings = await holdingsOf(cluster);
    return holdings === undefined ? diffPipelines(before, after) : diffHeld(before, after, holdings);
  } finally {
    cluster.close();
  }
}

/** Throws a `UsageError` if an object can't be read: leaving it out would look like no difference. */
async function readWhole(
  folders: readonly string[],
  domains: MeshDomains,
): Promise<Awaited<ReturnType<typeof readFolderObjects>>> {
  const read = await readFolderObjects(folders, domains);
  const unread = read.problems.filter(({ severity }) => severity === "error");
  if (unread.length > 0) throw new UsageError(unread.map(formatProblem).join("\n"));
  return read;
}

/** Undefined, with a note on stderr, if no control plane can be asked: the differences are valid all the same. */
async function holdingsOf(cluster: Cluster): Promise<Holdings | undefined> {
  try {
    return await readHoldings(cluster);
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
    process.stderr.write(`tulle: which workloads hold what differs is not known: ${why}\n`);
    return undefined;
  }
}

/** Problems that the cluster already has are not caused by the change. */
function warnOfNews(before: Pipeline, after: Pipeline): void {
  const known = new Set(problemsOf(before).map(formatProblem));
  for (const problem of problemsOf(after).map(formatProblem))
    if (!known.has(problem)) process.stderr.write(`${problem}\n`);
}

function warnOfIgnored(ignored: readonly KubeObject[]): void {
  const kinds = [...new Set(ignored.map(({ kind }) => kind))].sort().join(", ");
  if (kinds === "") return;
  process.stderr.write(`tulle: left out, as only the pods that come of them matter: ${kinds}\n`);
}

function print(diffs: readonly ResourceDiff[], paint: Paint): string {
  if (diffs.length === 0) return "no difference\n";
  const lines = diffs.flatMap(({ kind, name, change, fields, workloads }) => {
    const whose = workloads === undefined ? "" : paint("dim", `  ${workloads.join(", ") || "held by no sidecar"}`);
    switch (change) {
      case "added":
        return [paint("green", `+ ${kind} ${name}`) + whose];
      case "removed":
        return [paint("red", `- ${kind} ${name}`) + whose];
      case "changed":
        return [
          paint("yellow", `~ ${kind} ${name}`) + whose,
          ...fields.map((field) => `    ${printChange(field, paint)}`),
        ];
    }
  });
  return `${lines.join("\n")}\n`;
}

function printChange({ path, before, after }: Change, paint: Paint): string {
  const old = before === undefined ? "" : paint("red", JSON.stringify(before));
  const now = after === undefined ? "" : paint("green", JSON.stringify(after));
  if (before === undefined) return `${path}: added ${now}`;
  if (after === undefined) return `${path}: removed ${old}`;
  return `${path}: ${old} → ${now}`;
}
