/** `tulle dev`: runs a folder's Deployments in a mesh on this machine until it is told to stop. */

import { Command } from "commander";
import { paintFor } from "../terminal.ts";
import { controlPlanePorts, sidecarPorts } from "./addresses.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import type { MeshEvent } from "./mesh-event.ts";
import { formatEvent } from "./report.ts";
import { onStopRequest } from "./stop-request.ts";

interface DevOptions {
  readonly folder: string;
  readonly cwd?: string;
  readonly quiet?: true;
  readonly output: "text" | "json";
}

const help = `
Every Deployment needs the annotation tulle.dev/dev-command on its pod template: the shell command that starts it here.
Each replica gets a loopback address of its own, in HOST and POD_IP, and reaches Services by name through http_proxy.
Edits of the folder are applied while it runs. Ctrl-C stops everything gracefully, a second one at once.

Examples:
  $ tulle dev -f deploy/demo
  $ tulle dev -f k8s --cwd . --quiet
  $ tulle dev -f k8s -o json | jq 'select(.kind == "problem")'`;

export function devCommand(): Command {
  return new Command("dev")
    .description("run a folder of Kubernetes YAML in a mesh on this machine: no cluster, no root")
    .requiredOption("-f, --folder <dir>", "folder with Deployments, Services and policies; watched")
    .option("--cwd <dir>", "working directory of the applications (default: the folder)")
    .option("-q, --quiet", "don't show the applications' output")
    .addOption(
      new Command()
        .createOption("-o, --output <format>", "text, or one JSON object per line")
        .choices(["text", "json"])
        .default("text"),
    )
    .addHelpText("after", help)
    .action((options: DevOptions) => run(options));
}

async function run(options: DevOptions): Promise<void> {
  const stopRequest = onStopRequest();
  const print = printer(options);
  try {
    const mesh = await startMesh({
      folder: options.folder,
      ...(options.cwd === undefined ? {} : { workFolder: options.cwd }),
      env: process.env,
      report: print,
      signal: stopRequest.signal,
    });
    stopRequest.onSecond(() => mesh.kill());
    mesh.settled(stopRequest.signal).then(
      () => print({ kind: "progress", text: addressList(mesh) }),
      () => undefined,
    );
    await stopRequest.asked;
    print({ kind: "progress", text: "stopping" });
    await mesh.stop();
  } catch (error) {
    if (!stopRequest.signal.aborted) throw error;
  } finally {
    stopRequest.forget();
  }
}

function printer(options: DevOptions): (event: MeshEvent) => void {
  const paint = paintFor(process.stdout, process.env);
  return (event) => {
    if (options.quiet && event.kind === "output") return;
    const lines = options.output === "json" ? [JSON.stringify(event)] : formatEvent(event, paint);
    process.stdout.write(`${lines.join("\n")}\n`);
  };
}

function addressList(mesh: Mesh): string {
  const rows = mesh.pods.map(({ identity: { pod, podIP }, deployment: { template } }) => {
    const port = template.ports[0]?.containerPort;
    const own = port === undefined ? "no port" : `http://${podIP}:${port}`;
    return `  ${pod.padEnd(24)} ${own.padEnd(28)} metrics http://${podIP}:${sidecarPorts.admin}/metrics`;
  });
  const proxy = `http://${mesh.pods[0]?.identity.podIP ?? "POD_IP"}:${sidecarPorts.outbound}`;
  const dashboard = `http://${mesh.controlPlane.address}:${controlPlanePorts.dashboard}/`;
  const asPod = `  as a pod would call: curl -x ${proxy} http://SERVICE/`;
  return ["everything is ready:", ...rows, asPod, `  dashboard: ${dashboard}`].join("\n");
}
