/** `tulle version`: the versions of this command, of the control plane, and of the sidecars. */

import { Command } from "commander";
import type { MeshView } from "../control-plane/dashboard/mesh-view.ts";
import { compareStrings } from "../control-plane/source/problem.ts";
import { version } from "../system/version.ts";
import { addMeshOptions, howToReach, type MeshOptions, readMesh } from "./mesh-client.ts";
import { UsageError } from "./usage-error.ts";

interface VersionOptions extends MeshOptions {
  readonly client?: true;
  readonly output: "json" | "text";
}

export interface Versions {
  readonly client: string;
  /** Absent: it was not asked, or does not answer. */
  readonly controlPlane?: string;
  /** The number of sidecars, by version. */
  readonly sidecars?: Readonly<Record<string, number>>;
  /** Why only this command's own version is known. */
  readonly unreachable?: string;
}

const help = `${howToReach}

Exits with 1 if the control plane named by --url, --kubeconfig or --context does not answer. Without these options it is not
an error if there is no mesh. Nor is it if sidecars have other versions, see "tulle check".

Examples:
  $ tulle version
  $ tulle version --client
  $ tulle version -o json | jq .sidecars`;

export function versionCommand(): Command {
  const command = new Command("version");
  return addMeshOptions(command)
    .description("print the versions of this command, the control plane and the sidecars")
    .option("--client", "only this command's version")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: VersionOptions) => run(options));
}

async function run(options: VersionOptions): Promise<void> {
  const versions = options.client === true ? { client: version } : await readVersions(options);
  const { client, output } = options;
  const text = client === true ? `${version}\n` : printVersions(versions);
  process.stdout.write(output === "json" ? `${JSON.stringify(versions, undefined, 2)}\n` : text);
  const named = options.url ?? options.kubeconfig ?? options.context;
  if (named !== undefined && versions.unreachable !== undefined) process.exitCode = 1;
}

async function readVersions(options: MeshOptions): Promise<Versions> {
  try {
    return versionsOf(await readMesh(options, process.env));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { client: version, unreachable: error.message };
  }
}

function versionsOf({ version: controlPlane, sidecars }: Pick<MeshView, "version" | "sidecars">): Versions {
  const counts = new Map<string, number>();
  for (const sidecar of sidecars) counts.set(sidecar.version, (counts.get(sidecar.version) ?? 0) + 1);
  const sorted = [...counts].sort(([a], [b]) => compareStrings(a, b));
  return { client: version, controlPlane, sidecars: Object.fromEntries(sorted) };
}

function printVersions({ client, controlPlane, sidecars = {}, unreachable }: Versions): string {
  const counted = Object.entries(sidecars).map(([each, count]) => `${each} (${count})`);
  return [
    `client         ${client}`,
    `control plane  ${controlPlane ?? `unknown: ${unreachable}`}`,
    ...(controlPlane === undefined ? [] : [`sidecars       ${counted.join(", ") || "none"}`]),
    "",
  ].join("\n");
}
