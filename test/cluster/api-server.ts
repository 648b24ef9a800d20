/**
 * A real API server for tests, without a node: etcd and kube-apiserver, and where a scenario wants EndpointSlices or garbage
 * collection kube-controller-manager, as processes of this machine on loopback ports of their own. Everything they write
 * lies in one folder under /tmp, and is gone when they are stopped. Needs no root.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";
import { loadCredentials } from "../../control-plane/kubernetes/credentials.ts";
import { eventually } from "../support/eventually.ts";

export interface ApiServer {
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** As an administrator. */
  readonly api: ClusterApi;
  /** Of the key that signs service accounts' tokens. */
  readonly tokenKeyFile: string;
  readonly address: { readonly host: string; readonly port: number };
  /** Where its contents lie: see `etcd.ts`. */
  readonly etcd: URL;
  /** As if its machine lost power; etcd goes on. */
  kill(): Promise<void>;
  /** After `kill`, on the same port with the same contents. Resolves when it answers. */
  restart(): Promise<void>;
  /** Starts kube-controller-manager with these controllers; once. */
  runControllers(...names: readonly string[]): void;
  /** Writes a kubeconfig for whoever has this token, by default an administrator, and returns its path. */
  kubeconfigOf(token?: string, address?: { readonly host: string; readonly port: number }): Promise<string>;
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  /** Also kube-controller-manager: EndpointSlices, ReplicaSets, namespaces that end, garbage, service accounts. */
  readonly controllers?: boolean;
}

const startPatienceMs = 60_000;
const defaultControllers = [
  "endpointslice-controller",
  "replicaset-controller",
  "namespace-controller",
  "garbage-collector-controller",
  "serviceaccount-controller",
];
const host = "127.0.0.1";

/** Where the programs are: `$CLUSTER_HOME/bin`, by default `~/.cache/tulle-cluster/bin`; `test/cluster/tools` builds them. */
export function clusterProgram(name: string): string {
  const home = process.env["CLUSTER_HOME"] ?? join(homedir(), ".cache", "tulle-cluster");
  const path = join(home, "bin", name);
  if (!existsSync(path)) throw new Error(`${path} is missing: run test/cluster/tools once`);
  return path;
}

/** Resolves when it answers. */
export async function startApiServer({ controllers = false }: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), "tulle-api-server-"));
  const running = new Set<ChildProcess>();
  const run = (name: string, ...args: string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), "a");
    const child = spawn(clusterProgram(name), args, { stdio: ["ignore", log, log] });
    closeSync(log);
    running.add(child);
    child.on("exit", () => running.delete(child));
    return child;
  };
  // Where this process is ended before it could stop them.
  const onExit = (): void => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", onExit);
  const stop = async (): Promise<void> => {
    process.off("exit", onExit);
    await Promise.all([...running].map((child) => end(child)));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [etcdPort, peerPort, port] = await freePorts();
    const token = randomUUID();
    await writeKeys(folder, token);
    const kubeconfig = join(folder, "admin.kubeconfig");
    const server = `https://${host}:${port}`;
    await writeKubeconfig(kubeconfig, folder, server, token);
    run("etcd", ...etcdArguments(folder, etcdPort, peerPort));
    const start = () => run("kube-apiserver", ...apiServerArguments(folder, etcdPort, port));
    let apiServer = start();
    const api = new ClusterApi(loadCredentials(kubeconfig));
    const answers = () => eventually(() => isReady(api), startPatienceMs);
    await answers();
    const runControllers = (...names: readonly string[]): void => {
      run("kube-controller-manager", ...controllerArguments(folder, kubeconfig, names));
    };
    if (controllers) runControllers(...defaultControllers);
    return {
      kubeconfig,
      api,
      tokenKeyFile: join(folder, "service-accounts.pem"),
      address: { host, port },
      etcd: new URL(`http://${host}:${etcdPort}`),
      kill: () => end(apiServer),
      async restart() {
        apiServer = start();
        await answers();
      },
      runControllers,
      async kubeconfigOf(bearer, at = { host, port }) {
        const path = join(folder, `${randomUUID()}.kubeconfig`);
        await writeKubeconfig(path, folder, `https://${at.host}:${at.port}`, bearer ?? token);
        return path;
      },
      async stop() {
        api.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function isReady(api: ClusterApi): Promise<boolean> {
  try {
    return (await api.request({ path: "/readyz", timeoutMs: 2_000 })).status === 200;
  } catch {
    return false; // not listening yet
  }
}

function etcdArguments(folder: string, port: number, peerPort: number): string[] {
  const client = `http://${host}:${port}`;
  const peer = `http://${host}:${peerPort}`;
  return [
    `--data-dir=${join(folder, "etcd")}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
  ];
}

function apiServerArguments(folder: string, etcdPort: number, port: number): string[] {
  return [
    `--etcd-servers=http://${host}:${etcdPort}`,
    `--bind-address=${host}`,
    `--secure-port=${port}`,
    // Where pods would find it: nobody does here, and it may not be loopback.
    "--advertise-address=192.0.2.1",
    `--cert-dir=${folder}`,
    `--token-auth-file=${join(folder, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--anonymous-auth=false",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${join(folder, "service-accounts.pem")}`,
    `--service-account-signing-key-file=${join(folder, "service-accounts.pem")}`,
    "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
  ];
}

function controllerArguments(folder: string, kubeconfig: string, names: readonly string[]): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    "--secure-port=0",
    `--service-account-private-key-file=${join(folder, "service-accounts.pem")}`,
    `--controllers=${names.join(",")}`,
  ];
}

/** The server makes its own certificate; its clients show a token. */
async function writeKeys(folder: string, token: string): Promise<void> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  await writeFile(join(folder, "service-accounts.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(folder, "tokens.csv"), `${token},admin,admin,system:masters\n`);
}

/** In JSON, which is YAML. */
async function writeKubeconfig(path: string, folder: string, server: string, token: string): Promise<void> {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server, "certificate-authority": join(folder, "apiserver.crt") } }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
  };
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
}

/** Free a moment ago: these programs don't say which port they took. */
async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()] as const;
  const ports = await Promise.all(servers.map(listen));
  for (const server of servers) server.close();
  return [ports[0] ?? 0, ports[1] ?? 0, ports[2] ?? 0];
}

async function listen(server: Server): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return address.port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
