/**
 * Two sidecars as separate processes, `tulle sidecar`: `web`, whose application calls, and `orders`, which has one application
 * port. A real authority issues their certificates; snapshots take the place of the control plane.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Protocol, Resource } from "../../model/resources.ts";
import { TestAuthority, workloadId } from "./authority.ts";

const cli = join(import.meta.dirname, "../../cli/main.ts");
const stopWithinMs = 15_000;

export interface ProcessPair extends AsyncDisposable {
  readonly authority: TestAuthority;
  /** The pod IPs. */
  readonly web: string;
  readonly orders: string;
  readonly processes: Readonly<Record<"web" | "orders", ChildProcess>>;
  /** The address that `web`'s application dials to reach `orders`. */
  readonly upstream: { readonly host: string; readonly port: number };
}

export interface PairOptions {
  readonly web: string;
  readonly orders: string;
  /** The application's port, on the pod IP of `orders`. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Additional arguments for the sidecar of `orders`. */
  readonly ordersArguments?: readonly string[];
}

const upstreamPort = 9_001;

/** Resolves when both serve. */
export async function startSidecarProcesses(options: PairOptions): Promise<ProcessPair> {
  const { web, orders, port, protocol, ordersArguments = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), "tulle-pair-"));
  const authority = await TestAuthority.open();
  const processes: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(processes.map(stopProcess));
    await authority[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  try {
    const start = async (workload: string, podIp: string, resources: readonly Resource[], more: readonly string[]) => {
      const files = await writeFiles(join(folder, workload), workload, authority, resources);
      const child = await startProcess([...files, "--pod-ip", podIp, ...more]);
      processes.push(child);
      return child;
    };
    const inbound = (name: string): Resource => ({ kind: "inbound", value: { name, ports: [{ port, protocol }] } });
    const ofOrders = await start("orders", orders, [inbound("shop/orders")], ordersArguments);
    const dialled = ["--upstream", `orders:80=${web}:${upstreamPort}`];
    const ofWeb = await start("web", web, [inbound("shop/web"), ...destination(orders, port, protocol)], dialled);
    const upstream = { host: web, port: upstreamPort };
    return {
      authority,
      web,
      orders,
      processes: { web: ofWeb, orders: ofOrders },
      upstream,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The Service `orders`, as the compiler produces it. */
function destination(podIp: string, port: number, protocol: Protocol): Resource[] {
  const name = "orders.shop.svc.cluster.local:80";
  const service = { namespace: "shop", name: "orders" };
  const backends = [{ endpoints: name, service, weight: 1 }];
  const routes = [{ name: "default", matches: [], backends, timeout: { connectMs: 1_000 } }];
  const identity = workloadId("orders");
  const endpoints = [{ address: `${podIp}:${port}`, pod: "orders-1", identity, state: "ready" as const }];
  return [
    { kind: "destination", value: { name, service, protocol, routes } },
    { kind: "endpoints", value: { name, service, protocol, endpoints } },
  ];
}

async function writeFiles(
  prefix: string,
  workload: string,
  authority: TestAuthority,
  resources: readonly Resource[],
): Promise<string[]> {
  const { certificateChainPem, privateKeyPem, trustBundlePem } = authority.credentials(workloadId(workload));
  const contents = {
    snapshot: JSON.stringify({ resources }),
    cert: certificateChainPem,
    key: privateKeyPem,
    ca: trustBundlePem,
  };
  const args: string[] = [];
  for (const [flag, content] of Object.entries(contents)) {
    await writeFile(`${prefix}.${flag}`, content);
    args.push(`--${flag}`, `${prefix}.${flag}`);
  }
  return args;
}

/** Resolves when the process reports that it is up; its later output goes to this process's own stderr. */
async function startProcess(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [cli, "sidecar", ...args], { stdio: ["ignore", "inherit", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const up = new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => (line.includes("sidecar is up") ? resolve() : process.stderr.write(`${line}\n`)));
    child.once("exit", (code) => reject(new Error(`a sidecar ended with ${code} before it was up`)));
    child.once("error", reject);
  });
  await up;
  return child;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
  await exited;
  clearTimeout(timer);
}
