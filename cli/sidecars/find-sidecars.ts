/** Finds the sidecars of a mesh, and reads their debug pages, which are only accessible from the same machine or pod. */

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { sidecarName, workloadAnnotation } from "../../control-plane/injection/marks.ts";
import { reasonOf } from "../../system/log.ts";
import { debugField } from "../../system/loopback-page.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type Fields, listAt, readMeta } from "../cluster/fields.ts";
import { sidecarPorts } from "../dev/addresses.ts";
import { askOver, type Mesh } from "../mesh-client.ts";
import { UsageError } from "../usage-error.ts";

export interface SidecarRef {
  /** `namespace/name`. */
  readonly pod: string;
  /** `namespace/workload`. */
  readonly workload: string;
  /** Connects to its admin port, on loopback. */
  connect(): Promise<Duplex>;
}

const connectWithinMs = 15_000;

/** The running sidecars, sorted; in all namespaces or in one. Throws a `UsageError` if nobody can list them. */
export async function findSidecars(mesh: Mesh, namespace?: string): Promise<readonly SidecarRef[]> {
  const found = mesh.cluster === undefined ? await onThisMachine(mesh) : await inCluster(mesh.cluster, namespace);
  return found
    .filter(({ pod }) => namespace === undefined || pod.startsWith(`${namespace}/`))
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

export function adminPortOf(sidecar: SidecarRef): AdminPort {
  return { name: `the sidecar of ${sidecar.pod}`, connect: () => sidecar.connect() };
}

/** A process of the mesh, at its admin port on loopback. */
export interface AdminPort {
  /** The name for error messages. */
  readonly name: string;
  connect(): Promise<Duplex>;
}

/** Requests one of its debug pages. Throws a `UsageError` that names the process if the answer is not 200. */
export async function askAdmin(
  port: AdminPort,
  path: string,
  query: Readonly<Record<string, string>> = {},
  method: "GET" | "PUT" = "GET",
): Promise<IncomingMessage> {
  const search = new URLSearchParams(query).toString();
  try {
    const connection = await port.connect();
    return await askOver(connection, `${path}${search === "" ? "" : `?${search}`}`, { [debugField]: "yes" }, method);
  } catch (error) {
    throw new UsageError(`no answer from ${port.name}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Reads all of such a page. Throws like `askAdmin`, and also if the answer ends early. */
export async function readAdmin(...asked: Parameters<typeof askAdmin>): Promise<string> {
  const answer = await askAdmin(...asked);
  try {
    return await text(answer);
  } catch (error) {
    throw new UsageError(`the answer from ${asked[0].name} is cut short: ${reasonOf(error)}`, { cause: error });
  }
}

/** The sidecars of `tulle dev`, whose pods are loopback addresses. */
async function onThisMachine(mesh: Mesh): Promise<SidecarRef[]> {
  const { sidecars } = await mesh.read();
  return sidecars.flatMap(({ pod, workload, address }) =>
    address === undefined ? [] : [{ pod, workload, connect: () => connectLocally(address, sidecarPorts.admin) }],
  );
}

/** Connects to an admin port on an address of this machine. */
export async function connectLocally(host: string, port: number): Promise<Duplex> {
  const socket = connect({ host, port });
  await once(socket, "connect", { signal: AbortSignal.timeout(connectWithinMs) });
  return socket;
}

async function inCluster(cluster: Cluster, namespace: string | undefined): Promise<SidecarRef[]> {
  const path = namespace === undefined ? "/api/v1/pods" : `/api/v1/namespaces/${namespace}/pods`;
  const pods = await cluster.list(path, { fieldSelector: "status.phase=Running" });
  return pods.filter(hasSidecar).map((pod) => {
    const { namespace: own, name, annotations } = readMeta(pod);
    return {
      pod: `${own}/${name}`,
      workload: `${own}/${annotations[workloadAnnotation] ?? name}`,
      connect: () => cluster.connect({ namespace: own, name }, sidecarPorts.admin),
    };
  });
}

export function hasSidecar(pod: Fields): boolean {
  return listAt(pod, "spec", "initContainers").some(({ name }) => name === sidecarName);
}
