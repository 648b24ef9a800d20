/** `tulle check`: can this cluster run the mesh, and is the mesh in it healthy? */

import { Command } from "commander";
import { reasonOf } from "../../system/log.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { readClusterPipeline, readDomains } from "../cluster/cluster-pipeline.ts";
import { addMeshOptions, howToReach, type Mesh, type MeshOptions, openMesh } from "../mesh-client.ts";
import { type Paint, paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { certificates } from "./certificates.ts";
import { controlPlane } from "./control-plane.ts";
import { type Asked, type Check, fail, type Verdict } from "./finding.ts";
import { interception } from "./interception.ts";
import { kubernetesVersion } from "./kubernetes-version.ts";
import { networkPolicies } from "./network-policies.ts";
import { nodes } from "./nodes.ts";
import { otherMesh } from "./other-mesh.ts";
import { podsNotMade } from "./pods-not-made.ts";
import { podsWithoutSidecar } from "./pods-without-sidecar.ts";
import { protocols } from "./protocols.ts";
import { gatewayKinds, ownKinds, ownKindsBefore } from "./resource-definitions.ts";
import { rights } from "./rights.ts";
import { sidecars } from "./sidecars.ts";
import { checkView, type Section } from "./this-machine.ts";
import { webhooks } from "./webhooks.ts";

interface CheckOptions extends MeshOptions {
  readonly pre?: true;
  readonly output: "json" | "text";
}

/** The checks before there is a mesh. */
export const preChecks: readonly Check[] = [kubernetesVersion, nodes, rights, ownKindsBefore, gatewayKinds, otherMesh];

export const meshChecks: readonly Check[] = [
  kubernetesVersion,
  nodes,
  ownKinds,
  gatewayKinds,
  otherMesh,
  controlPlane,
  webhooks,
  certificates,
  sidecars,
  podsNotMade,
  podsWithoutSidecar,
  interception,
  networkPolicies,
  protocols,
];

const help = `${howToReach}

With --pre it checks whether a mesh can be installed. It only reads, and changes nothing: injection is tested with a dry run.
It says what your rights do not let it see. For a mesh of "tulle dev" (--url) it runs the checks that apply there.

Exits with 1 if a check fails; a warning is not a failure.

Examples:
  $ tulle check --pre
  $ tulle check
  $ tulle check -o json | jq '.[] | select(.findings[].verdict == "fail")'`;

export function checkCommand(): Command {
  const command = new Command("check");
  return addMeshOptions(command)
    .description("check whether a cluster can run the mesh, whether the mesh is healthy, and what to fix")
    .option("--pre", "check only whether the mesh can be installed")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: CheckOptions) => run(options));
}

async function run(options: CheckOptions): Promise<void> {
  const mesh = await openMesh(options, process.env);
  try {
    const sections = await sectionsOf(mesh, options.pre ? preChecks : meshChecks, options);
    const paint = paintFor(process.stdout, process.env);
    const text =
      options.output === "json" ? `${JSON.stringify(sections, undefined, 2)}\n` : printSections(sections, paint);
    process.stdout.write(text);
    if (countOf(sections, "fail") > 0) process.exitCode = 1;
  } finally {
    mesh.close();
  }
}

async function sectionsOf(mesh: Mesh, checks: readonly Check[], { pre }: CheckOptions): Promise<Section[]> {
  const { cluster } = mesh;
  if (cluster !== undefined) return runChecks(checks, askedOf(cluster, mesh));
  if (pre) throw new UsageError("--pre looks at a cluster: set KUBECONFIG, or give --kubeconfig");
  return checkView(await mesh.read(), Date.now());
}

/** Reads nothing yet. */
export function askedOf(cluster: Cluster, { read }: Pick<Mesh, "read">): Asked {
  return {
    cluster,
    nowMs: Date.now(),
    namespaces: once(() => cluster.list("/api/v1/namespaces")),
    pods: once(() => cluster.list("/api/v1/pods")),
    reading: once(async () => {
      const { clusterDomain = "cluster.local", trustDomain = "cluster.local" } = await readDomains(cluster);
      return readClusterPipeline(cluster, { clusterDomain, trustDomain });
    }),
    view: once(read),
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    reading ??= read();
    return reading;
  };
}

/** Runs the checks in order; one that can't be carried out fails, and says why. */
export function runChecks(checks: readonly Check[], asked: Asked): Promise<Section[]> {
  return Promise.all(
    checks.map(async ({ name, run: check }) => {
      try {
        return { check: name, findings: await check(asked) };
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        return { check: name, findings: [fail(reasonOf(error))] };
      }
    }),
  );
}

function countOf(sections: readonly Section[], verdict: Verdict): number {
  return sections.flatMap(({ findings }) => findings).filter((finding) => finding.verdict === verdict).length;
}

const marks: Readonly<Record<Verdict, readonly ["green" | "yellow" | "red", string]>> = {
  ok: ["green", "✓"],
  warn: ["yellow", "!"],
  fail: ["red", "✗"],
};

function printSections(sections: readonly Section[], paint: Paint): string {
  const shown = sections.filter(({ findings }) => findings.length > 0);
  const width = Math.max(...shown.map(({ check }) => check.length));
  const lines = shown.flatMap(({ check, findings }) =>
    findings.flatMap(({ verdict, says, fix }, index) => {
      const [colour, mark] = marks[verdict];
      const name = (index === 0 ? check : "").padEnd(width);
      const line = `${paint(colour, mark)} ${name}  ${says}`;
      return fix === undefined ? [line] : [line, paint("dim", `${" ".repeat(width + 4)}→ ${fix}`)];
    }),
  );
  const [failed, warned] = [countOf(sections, "fail"), countOf(sections, "warn")];
  const counts = `${failed} failed, ${warned} ${warned === 1 ? "warning" : "warnings"}`;
  const verdict =
    failed > 0
      ? paint("red", counts)
      : paint(warned > 0 ? "yellow" : "green", failed + warned === 0 ? "all is well" : counts);
  return `${[...lines, "", verdict].join("\n")}\n`;
}
