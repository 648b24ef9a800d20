/**
 * `tulle dashboard`: the dashboard of a cluster, on a loopback port of this machine while the command runs. Each connection
 * goes through the API server separately, to a control plane that is ready at that moment.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import { reasonOf } from "../system/log.ts";
import { addClusterOptions, type Cluster, type ClusterOptions, openCluster } from "./cluster/cluster.ts";
import { onStopRequest } from "./dev/stop-request.ts";
import { controlPlanePods, dashboardPort } from "./mesh-client.ts";
import { systemErrorCode, UsageError } from "./usage-error.ts";

interface DashboardOptions extends ClusterOptions {
  readonly port: string;
  readonly open?: true;
  readonly output: "json" | "text";
}

const help = `
It runs until Ctrl-C. Seeing the dashboard requires the right to forward ports of the control plane's pods, or access to this
machine while the command runs. A mesh of "tulle dev" prints the address of its own dashboard.

Examples:
  $ tulle dashboard
  $ tulle dashboard --open
  $ tulle dashboard --port 0 -o json | head -1 | jq -r .url`;

export function dashboardCommand(): Command {
  const command = new Command("dashboard");
  return addClusterOptions(command)
    .description("make a cluster's dashboard available on this machine, and print its address")
    .option("-p, --port <port>", "local port on 127.0.0.1; 0: any free one", String(dashboardPort))
    .option("--open", "also open it in the browser")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: DashboardOptions) => run(options));
}

async function run({ port, open, output, ...options }: DashboardOptions): Promise<void> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port must be from 0 to 65535, got ${port}`);
  const cluster = await openCluster(options);
  const stopRequest = onStopRequest();
  try {
    await controlPlanePods(cluster);
    const server = await listen(Number(port), cluster);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    process.stdout.write(output === "json" ? `${JSON.stringify({ url })}\n` : `${url}\n`);
    if (open) openBrowser(url);
    await stopRequest.asked;
    server.close();
  } finally {
    stopRequest.forget();
    cluster.close();
  }
  // Connections to pods may still be open, and nobody reads them any more.
  process.exit();
}

/** Throws a `UsageError` if the port can't be opened. */
async function listen(port: number, cluster: Cluster): Promise<Server> {
  const server = createServer((socket) => {
    forward(socket, cluster).catch((error: unknown) => {
      process.stderr.write(`tulle: ${reasonOf(error)}\n`);
      socket.destroy();
    });
  });
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    const why = systemErrorCode(error) === "EADDRINUSE" ? "is in use; --port names another" : reasonOf(error);
    throw new UsageError(`127.0.0.1:${port} ${why}`, { cause: error });
  }
  return server;
}

async function forward(socket: Socket, cluster: Cluster): Promise<void> {
  socket.on("error", () => socket.destroy());
  const [pod] = await controlPlanePods(cluster);
  if (pod === undefined) throw new UsageError("no control plane is ready");
  const connection = await cluster.connect(pod, dashboardPort);
  try {
    await pipeline(socket, connection, socket);
  } catch (error) {
    // A browser may leave at any time.
    if (!socket.destroyed) throw error;
  } finally {
    connection.destroy();
  }
}

/** There may be no browser: the address is printed in any case. */
function openBrowser(url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(program, [url], { stdio: "ignore", detached: true });
  child.on("error", () => process.stderr.write(`tulle: no ${program} here; open ${url} yourself\n`));
  child.unref();
}
