/** `tulle edges`: who calls whom, and, with `--checklist`, whether each such integration has what it should have. */

import { Command } from "commander";
import { formatMutualTls, formatRate, formatShare } from "../../control-plane/dashboard/page/format.ts";
import { readClusterPipeline, readDomains } from "../cluster/cluster-pipeline.ts";
import type { MeshFacts } from "../explain/mesh-facts.ts";
import { pipelineFacts } from "../explain/pipeline-facts.ts";
import { type MeshDomains, readFolderObjects } from "../folder-pipeline.ts";
import { addMeshOptions, howToReach, type Mesh, type MeshOptions, openMesh } from "../mesh-client.ts";
import { formatTable } from "../table.ts";
import { type Paint, paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { type CallEdge, callEdges } from "./call-edges.ts";
import { checklistOf, type EdgeChecklist, points } from "./checklist.ts";

interface EdgesOptions extends MeshOptions, Partial<MeshDomains> {
  readonly folder?: readonly string[];
  readonly checklist?: true;
  readonly failOn?: "missing";
  readonly output: "json" | "text";
}

const help = `${howToReach}

Edges cover the last ten seconds. The checklist's ten points are ${points.slice(0, 5).join(", ")},
${points.slice(5).join(", ")}. Annotations of the Service say what the mesh can't know:
tulle.dev/contract, tulle.dev/idempotency, tulle.dev/tests, tulle.dev/runbook. The configuration is read from the cluster,
or for a mesh of "tulle dev" from its folder, -f.

Exits with 1 if --fail-on missing is given and a point is missing.

Examples:
  $ tulle edges
  $ tulle edges --checklist --fail-on missing
  $ tulle edges --checklist --url http://127.72.39.1:8080 -f deploy/demo
  $ tulle edges --checklist -o json | jq '.[] | {from, to, missing: [.points[] | select(.state == "missing").point]}'`;

export function edgesCommand(): Command {
  const command = new Command("edges");
  return addMeshOptions(command)
    .description("list who calls whom, and what each integration lacks")
    .option("--checklist", "judge each of them on ten points")
    .addOption(command.createOption("--fail-on <state>", "exit with 1 if a point is in it").choices(["missing"]))
    .option("-f, --folder <path...>", "the YAML of a mesh running on this machine")
    .option("--cluster-domain <domain>", "of that mesh; default: cluster.local")
    .option("--trust-domain <domain>", "of that mesh; default: cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: EdgesOptions) => run(options));
}

async function run(options: EdgesOptions): Promise<void> {
  if (options.failOn !== undefined && !options.checklist) throw new UsageError("--fail-on goes with --checklist");
  const mesh = await openMesh(options, process.env);
  try {
    const edges = callEdges(await mesh.read());
    const paint = paintFor(process.stdout, process.env);
    if (!options.checklist) return write(edges, options, () => printEdges(edges));
    const { facts, objects } = await readConfigured(mesh, options);
    const checklists = edges.map((edge) => checklistOf(edge, facts, objects));
    write(checklists, options, () => printChecklists(checklists, paint));
    const lacks = checklists.some((checklist) => checklist.points.some(({ state }) => state === options.failOn));
    if (lacks) process.exitCode = 1;
  } finally {
    mesh.close();
  }
}

function write(value: unknown, { output }: EdgesOptions, print: () => string): void {
  process.stdout.write(output === "json" ? `${JSON.stringify(value, undefined, 2)}\n` : print());
}

type Configured = Pick<Awaited<ReturnType<typeof readFolderObjects>>, "objects"> & { readonly facts: MeshFacts };

async function readConfigured({ cluster }: Mesh, options: EdgesOptions): Promise<Configured> {
  const { clusterDomain, trustDomain, folder } = options;
  if (folder !== undefined) {
    const domains = { clusterDomain: clusterDomain ?? "cluster.local", trustDomain: trustDomain ?? "cluster.local" };
    const { pipeline, objects } = await readFolderObjects(folder, domains);
    return { facts: pipelineFacts(pipeline, domains), objects };
  }
  if (cluster === undefined) throw new UsageError("--checklist of a mesh on this machine needs its folder: -f");
  const known = await readDomains(cluster);
  const domains = {
    clusterDomain: clusterDomain ?? known.clusterDomain ?? "cluster.local",
    trustDomain: trustDomain ?? known.trustDomain ?? "cluster.local",
  };
  const { pipeline, objects } = await readClusterPipeline(cluster, domains);
  return { facts: pipelineFacts(pipeline, domains), objects };
}

const nothing = "no requests in the last ten seconds\n";

function printEdges(edges: readonly CallEdge[]): string {
  if (edges.length === 0) return nothing;
  const columns = [
    { title: "FROM" },
    { title: "TO" },
    { title: "REQUESTS", align: "right" },
    { title: "SUCCESS", align: "right" },
    { title: "MTLS" },
  ] as const;
  const rows = edges.map(({ from, to, requestsPerSecond, successShare, mutualTlsShare }) => [
    from,
    to,
    formatRate(requestsPerSecond),
    formatShare(successShare),
    formatMutualTls(mutualTlsShare),
  ]);
  return `${formatTable(columns, rows).join("\n")}\n`;
}

const pointWidth = Math.max(...points.map((point) => point.length));

function printChecklists(checklists: readonly EdgeChecklist[], paint: Paint): string {
  if (checklists.length === 0) return nothing;
  const blocks = checklists.map(({ from, to, points: verdicts }) => {
    const there = verdicts.filter(({ state }) => state === "present").length;
    const lines = verdicts.map(({ point, state, says }) => {
      const mark = state === "present" ? paint("green", "✓") : paint("red", "✗");
      return `  ${mark} ${point.padEnd(pointWidth)}  ${state === "present" ? says : paint("dim", says)}`;
    });
    return [`${paint("bold", `${from} → ${to}`)}  ${there} of ${verdicts.length}`, ...lines].join("\n");
  });
  return `${blocks.join("\n\n")}\n`;
}
