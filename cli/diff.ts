/** `tulle diff`: what a change of YAML would change in what sidecars are told. */

import { Command } from "commander";
import type { Pipeline } from "../control-plane/pipeline.ts";
import type { ResourceKind } from "../model/resources.ts";
import { readPipeline, warnOfProblems } from "./folder-pipeline.ts";
import { type Change, changesBetween } from "./structural-diff.ts";
import { type Paint, paintFor } from "./terminal.ts";

interface DiffOptions {
  readonly folder: readonly string[];
  readonly against: readonly string[];
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly output: "json" | "text";
}

/** One resource that differs. `change` says whether it is there on one side only. */
export interface ResourceDiff {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** Empty unless `changed`. */
  readonly fields: readonly Change[];
}

const differenceExitCode = 1;

const help = `
Compares what the two folders compile to, not their text: a reformatted file is no difference, a changed default is one.
Destinations and Endpoints go to every workload that calls the Service, an Inbound to its own workload.
Exits with 1 if something differs.

Examples:
  $ tulle diff -f deploy/demo --against /tmp/demo-on-main
  $ git worktree add /tmp/main main && tulle diff -f policies --against /tmp/main/policies
  $ tulle diff -f new --against old -o json | jq -r '.[].name'`;

export function diffCommand(): Command {
  const command = new Command("diff");
  return command
    .description("show what a change of YAML would change in what sidecars are told")
    .requiredOption("-f, --folder <path...>", "folders or files as they are to be")
    .requiredOption("--against <path...>", "folders or files as they are now")
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--trust-domain <domain>", "first part of the workloads' SPIFFE ids", "cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: DiffOptions) => run(options));
}

async function run(options: DiffOptions): Promise<void> {
  const before = await readPipeline(options.against, options);
  const after = await readPipeline(options.folder, options);
  warnOfProblems(after);
  const diffs = diffPipelines(before, after);
  const paint = paintFor(process.stdout, process.env);
  process.stdout.write(options.output === "json" ? `${JSON.stringify(diffs, undefined, 2)}\n` : print(diffs, paint));
  if (diffs.length > 0) process.exitCode = differenceExitCode;
}

const kinds: readonly ResourceKind[] = ["destination", "endpoints", "inbound"];

/** Sorted by kind and name. */
export function diffPipelines(before: Pipeline, after: Pipeline): ResourceDiff[] {
  return kinds.flatMap((kind) => {
    const old = valuesByName(before, kind);
    const now = valuesByName(after, kind);
    const names = [...new Set([...old.keys(), ...now.keys()])].sort();
    return names.flatMap((name) => diffResource(kind, name, old.get(name), now.get(name)) ?? []);
  });
}

function valuesByName({ snapshot }: Pipeline, kind: ResourceKind): ReadonlyMap<string, unknown> {
  return new Map(snapshot.list(kind).map(({ name, resource }) => [name, resource.value]));
}

function diffResource(kind: ResourceKind, name: string, old: unknown, now: unknown): ResourceDiff | undefined {
  if (old === undefined) return { kind, name, change: "added", fields: [] };
  if (now === undefined) return { kind, name, change: "removed", fields: [] };
  const fields = changesBetween(old, now);
  return fields.length === 0 ? undefined : { kind, name, change: "changed", fields };
}

function print(diffs: readonly ResourceDiff[], paint: Paint): string {
  if (diffs.length === 0) return "no difference\n";
  const lines = diffs.flatMap(({ kind, name, change, fields }) => {
    switch (change) {
      case "added":
        return [paint("green", `+ ${kind} ${name}`)];
      case "removed":
        return [paint("red", `- ${kind} ${name}`)];
      case "changed":
        return [paint("yellow", `~ ${kind} ${name}`), ...fields.map((field) => `    ${printChange(field, paint)}`)];
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
