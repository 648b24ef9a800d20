/** `tulle log-level`: the log level of a sidecar or the control plane, while it runs. */

import { Argument, Command } from "commander";
import { logLevels } from "../system/log.ts";
import { logLevelPath } from "../system/log-level-page.ts";
import { controlPlanePorts } from "./dev/addresses.ts";
import { thereAre } from "./known-names.ts";
import {
  addMeshOptions,
  askedUrl,
  controlPlanePods,
  defaultUrl,
  type Mesh,
  type MeshOptions,
  openMesh,
} from "./mesh-client.ts";
import { type AdminPort, connectLocally, findSidecars, readAdmin } from "./sidecars/find-sidecars.ts";
import { UsageError } from "./usage-error.ts";

interface LogLevelOptions extends MeshOptions {
  readonly output: "json" | "text";
}

/** Stands for the control plane in place of a pod's name. */
const controlPlane = "control-plane";

const help = `
The level lasts until the container exits; then the annotation tulle.dev/log-level applies again, or the chart's value. In a
cluster this requires the right to forward ports of the pods concerned. The access log does not depend on the level: a
TelemetryPolicy decides which requests are logged.

Examples:
  $ tulle log-level shop/web-6f7d9-x2x8k            of one pod
  $ tulle log-level shop/web debug                  of all pods of a workload
  $ tulle log-level control-plane debug             of each of its replicas
  $ tulle log-level control-plane info`;

export function logLevelCommand(): Command {
  const command = new Command("log-level");
  return addMeshOptions(command)
    .description("show or change the log level of a sidecar or the control plane")
    .argument("<whose>", "namespace/pod, namespace/workload, or control-plane")
    .addArgument(new Argument("[level]", "what it is to be").choices(logLevels))
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((whose: string, level: string | undefined, options: LogLevelOptions) => run(whose, level, options));
}

async function run(whose: string, level: string | undefined, options: LogLevelOptions): Promise<void> {
  const mesh = await openMesh(options, process.env);
  try {
    const ports = whose === controlPlane ? await controlPlanes(mesh, options) : await sidecarsOf(mesh, whose);
    const levels = await Promise.all(ports.map(async (port) => [port.name, await levelOf(port, level)] as const));
    const lines = levels.map(([name, now]) => `${name}  ${now}\n`).join("");
    process.stdout.write(options.output === "json" ? `${JSON.stringify(Object.fromEntries(levels))}\n` : lines);
  } finally {
    mesh.close();
  }
}

async function levelOf(port: AdminPort, level: string | undefined): Promise<string> {
  const answer = level === undefined ? readAdmin(port, logLevelPath) : readAdmin(port, logLevelPath, { level }, "PUT");
  return (await answer).trim();
}

async function sidecarsOf(mesh: Mesh, whose: string): Promise<readonly AdminPort[]> {
  const [namespace] = whose.split("/");
  const sidecars = await findSidecars(mesh, namespace);
  const pods = sidecars.filter(({ pod }) => pod === whose);
  const found = pods.length > 0 ? pods : sidecars.filter(({ workload }) => workload === whose);
  if (found.length > 0) return found.map((sidecar) => ({ name: sidecar.pod, connect: () => sidecar.connect() }));
  const names = sidecars.map(({ pod }) => pod);
  throw new UsageError(`no sidecar in pod or workload ${whose}; ${thereAre(names, whose)}`);
}

/** On this machine it listens on the same address as its dashboard. */
async function controlPlanes({ cluster }: Mesh, options: MeshOptions): Promise<readonly AdminPort[]> {
  const port = controlPlanePorts.admin;
  if (cluster !== undefined) {
    return (await controlPlanePods(cluster)).map((pod) => ({
      name: `${pod.namespace}/${pod.name}`,
      connect: () => cluster.connect(pod, port),
    }));
  }
  const { hostname } = new URL(askedUrl(options, process.env) ?? defaultUrl);
  return [{ name: controlPlane, connect: () => connectLocally(hostname, port) }];
}
