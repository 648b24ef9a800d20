/**
 * The mesh as it is now, as its control plane reports it, which is what its dashboard shows. The dashboard listens on
 * loopback only, so it is asked at an address of this machine, or in a cluster through the API server, each replica for
 * its own sidecars.
 */

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { MeshView } from "../control-plane/dashboard/mesh-view.ts";
import type { CertificatesView } from "../control-plane/identity/certificates-view.ts";
import type { Holdings } from "../control-plane/push/push-hub.ts";
import { reasonOf } from "../system/log.ts";
import { addClusterOptions, type Cluster, type ClusterOptions, findCluster, type PodRef } from "./cluster/cluster.ts";
import { type Fields, listAt, readMeta } from "./cluster/fields.ts";
import { mergeViews } from "./merged-view.ts";
import { UsageError } from "./usage-error.ts";

export const defaultUrl = "http://127.0.0.1:8080";
export const dashboardPort = 8_080;
/** A machine may be busy, and a cluster far away; who is not there at all says so at once. */
const patienceMs = 15_000;
/** The labels of the control plane's pods, as the chart sets them. */
export const controlPlaneLabels = {
  "app.kubernetes.io/name": "tulle",
  "app.kubernetes.io/component": "control-plane",
} as const;
export const controlPlaneSelector = Object.entries(controlPlaneLabels)
  .map((label) => label.join("="))
  .join(",");

export interface MeshOptions extends ClusterOptions {
  /** The URL of a dashboard. */
  readonly url?: string;
}

export const howToReach = `
It asks the cluster in your kubeconfig, which requires the right to forward ports of the control plane's pods. A mesh of
"tulle dev" prints the address of its dashboard: pass it with --url, or in $TULLE_URL.`;

export function addMeshOptions(command: Command): Command {
  const url = `the dashboard of a mesh on this machine; default: $TULLE_URL, else the cluster, else ${defaultUrl}`;
  return addClusterOptions(command.option("--url <url>", url));
}

/** A mesh that can be asked. */
export interface Mesh {
  /** Absent: a mesh on this machine, or one whose port is forwarded. */
  readonly cluster?: Cluster;
  /** Throws a `UsageError` if nobody answers, or something other than a dashboard does. */
  readonly read: () => Promise<MeshView>;
  /** Throws like `read`. Every replica knows the certificates of all. */
  readCertificates(): Promise<CertificatesView>;
  close(): void;
}

/** The URL from the option, or else from the environment; undefined: neither is set. */
export function askedUrl({ url }: MeshOptions, env: NodeJS.ProcessEnv): string | undefined {
  return url ?? (env["TULLE_URL"] || undefined);
}

/** Throws a `UsageError` if neither a URL nor a kubeconfig can be used. */
export async function openMesh(options: MeshOptions, env: NodeJS.ProcessEnv): Promise<Mesh> {
  const url = askedUrl(options, env);
  const cluster = url === undefined ? await findCluster(options) : undefined;
  if (cluster !== undefined) {
    const readCertificates = () => readAnyReplica<CertificatesView>(cluster, "/api/certs");
    return { cluster, read: () => readReplicas(cluster), readCertificates, close: () => cluster.close() };
  }
  if (url !== undefined && !(/^https?:\/\//.test(url) && URL.canParse(url)))
    throw new UsageError(`--url must be like ${defaultUrl}, got ${url || "nothing"}`);
  const place = url === undefined ? defaultPlace : { base: url, hint: "; --url says where it is" };
  return {
    read: () => fetchFrom<MeshView>(place, "/api/mesh"),
    readCertificates: () => fetchFrom<CertificatesView>(place, "/api/certs"),
    close() {},
  };
}

/** Reads the mesh once. */
export async function readMesh(options: MeshOptions, env: NodeJS.ProcessEnv): Promise<MeshView> {
  const mesh = await openMesh(options, env);
  try {
    return await mesh.read();
  } finally {
    mesh.close();
  }
}

/** What the sidecars of each workload hold, whichever replica they are connected to. Throws a `UsageError`. */
export async function readHoldings(cluster: Cluster): Promise<Holdings> {
  const pods = await controlPlanePods(cluster);
  const replicas = await Promise.all(pods.map((pod) => readReplica<Holdings>(cluster, pod, "/api/holdings")));
  const merged: Record<string, Holdings[string]> = {};
  for (const holdings of replicas)
    for (const [workload, held] of Object.entries(holdings)) merged[workload] = [...(merged[workload] ?? []), ...held];
  return merged;
}

/** The pods that are ready. Throws a `UsageError` if there is none. */
export async function controlPlanePods(cluster: Cluster): Promise<readonly [PodRef, ...PodRef[]]> {
  const { meshNamespace: namespace } = cluster;
  const pods = await cluster.list(`/api/v1/namespaces/${namespace}/pods`, { labelSelector: controlPlaneSelector });
  const [first, ...others] = pods.filter(isReady).map((pod) => ({ namespace, name: readMeta(pod).name }));
  if (first !== undefined) return [first, ...others];
  const found = pods.length === 0 ? "no" : "no ready";
  throw new UsageError(
    `${found} control plane in namespace ${namespace} of ${cluster.name}; --mesh-namespace says where`,
  );
}

/** Sends one request over the given connection. Throws if the answer is not 200. */
export async function askOver(
  connection: Duplex,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method: "GET" | "PUT" = "GET",
): Promise<IncomingMessage> {
  const asking = request({ createConnection: () => connection, host: "127.0.0.1", path, headers, method });
  // A break after the head of the answer is reported to the reader of the answer; the request would report it a second time.
  asking.on("error", () => {}).end();
  const signal = AbortSignal.timeout(patienceMs);
  const [answer] = (await once(asking, "response", { signal })) as [IncomingMessage];
  if (answer.statusCode === 200) return answer;
  throw new Error(`it answers ${answer.statusCode}: ${(await text(answer)).trim()}`);
}

async function readReplicas(cluster: Cluster): Promise<MeshView> {
  const pods = await controlPlanePods(cluster);
  return mergeViews(await Promise.all(pods.map((pod) => readReplica<MeshView>(cluster, pod, "/api/mesh"))));
}

/** Asks replicas until one answers: one that is about to stop remains ready for a while. */
async function readAnyReplica<T>(cluster: Cluster, path: string): Promise<T> {
  const [first, ...others] = await controlPlanePods(cluster);
  let answer = readReplica<T>(cluster, first, path);
  for (const pod of others) answer = answer.catch(() => readReplica<T>(cluster, pod, path));
  return await answer;
}

/** `T` is the known type of the page. */
async function readReplica<T>(cluster: Cluster, pod: PodRef, path: string): Promise<T> {
  try {
    const connection = await cluster.connect(pod, dashboardPort);
    return JSON.parse(await text(await askOver(connection, path))) as T;
  } catch (error) {
    throw new UsageError(`no answer from ${pod.namespace}/${pod.name}: ${reasonOf(error)}`, { cause: error });
  }
}

interface Place {
  readonly base: string;
  /** What to do if nobody answers. */
  readonly hint: string;
}

const defaultPlace: Place = {
  base: defaultUrl,
  hint: ", and no cluster in a kubeconfig; --kubeconfig or --url says where the mesh is",
};

async function fetchFrom<T>({ base, hint }: Place, path: string): Promise<T> {
  try {
    const answer = await fetch(new URL(path, base), { signal: AbortSignal.timeout(patienceMs) });
    if (!answer.ok) throw new Error(`it answers ${answer.status}: ${(await answer.text()).trim()}`);
    return (await answer.json()) as T;
  } catch (error) {
    throw new UsageError(`no control plane at ${base} (${fetchFault(error)})${hint}`, { cause: error });
  }
}

/** `fetch` hides the real error in its cause. */
function fetchFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause ? String(cause.code) : cause.message;
}

function isReady(pod: Fields): boolean {
  return listAt(pod, "status", "conditions").some(({ type, status }) => type === "Ready" && status === "True");
}
