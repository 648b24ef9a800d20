/** A cluster reached through a person's kubeconfig: its API server, and through that the ports of its pods. */

import type { Duplex } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Command } from "commander";
import { meshNamespace } from "../../control-plane/index/facts.ts";
import {
  type ApiAnswer,
  type ApiRequest,
  ClusterApi,
  describeAnswer,
} from "../../control-plane/kubernetes/cluster-api.ts";
import { reasonOf } from "../../system/log.ts";
import { UsageError } from "../usage-error.ts";
import { type Fields, listAt, textAt } from "./fields.ts";

export interface ClusterOptions {
  /** A file; absent: `$KUBECONFIG`, `~/.kube/config`, or the pod's own service account. */
  readonly kubeconfig?: string;
  /** Absent: the kubeconfig's current context. */
  readonly context?: string;
  /** The control plane's namespace. */
  readonly meshNamespace: string;
}

export interface Cluster {
  readonly meshNamespace: string;
  /** The name that people use: the context's. */
  readonly name: string;
  /** Like `ClusterApi.request`, but throws a `UsageError` if there is no answer. */
  request(request: ApiRequest): Promise<ApiAnswer>;
  /** All objects of a collection such as `/api/v1/pods`. Throws a `UsageError` if they can't be listed. */
  list(path: string, query?: Readonly<Record<string, string>>): Promise<readonly Fields[]>;
  /** Connects to a port on the pod's loopback. Rejects if the API server refuses; see `connectToPod`. */
  connect(pod: PodRef, port: number): Promise<Duplex>;
  close(): void;
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

export function addClusterOptions(command: Command): Command {
  return command
    .option("--kubeconfig <file>", "default: $KUBECONFIG, else ~/.kube/config")
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option("--mesh-namespace <name>", "namespace of the control plane", meshNamespace);
}

/** Undefined: no kubeconfig names a cluster, and none was requested. Throws a `UsageError` if one can't be used. */
export async function findCluster(options: ClusterOptions): Promise<Cluster | undefined> {
  const { loadKubeConfig, credentialsOf } = await import("../../control-plane/kubernetes/credentials.ts");
  let config: KubeConfig | undefined;
  try {
    config = loadKubeConfig(options.kubeconfig, options.context);
    if (config === undefined) return undefined;
    return new KubeconfigCluster(options.meshNamespace, config, new ClusterApi(credentialsOf(config)));
  } catch (error) {
    // The YAML parser's message continues with a picture of the place.
    throw new UsageError(reasonOf(error).split("\n", 1)[0] ?? "", { cause: error });
  }
}

/** Throws a `UsageError` if there is none. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const cluster = await findCluster(options);
  if (cluster !== undefined) return cluster;
  throw new UsageError("no cluster: set KUBECONFIG, or give --kubeconfig");
}

const pageSize = "500";

class KubeconfigCluster implements Cluster {
  readonly meshNamespace: string;
  readonly #config: KubeConfig;
  readonly #api: ClusterApi;

  constructor(namespace: string, config: KubeConfig, api: ClusterApi) {
    this.meshNamespace = namespace;
    this.#config = config;
    this.#api = api;
  }

  get name(): string {
    return this.#config.getCurrentContext();
  }

  async request(request: ApiRequest): Promise<ApiAnswer> {
    try {
      return await this.#api.request(request);
    } catch (error) {
      throw new UsageError(`no answer from the API server of ${this.name}: ${reasonOf(error)}`, { cause: error });
    }
  }

  async list(path: string, query: Readonly<Record<string, string>> = {}): Promise<readonly Fields[]> {
    const found: Fields[] = [];
    let next: string | undefined;
    do {
      const more = next === undefined ? {} : { continue: next };
      const answer = await this.request({ path, query: { ...query, limit: pageSize, ...more } });
      if (answer.status !== 200) throw new UsageError(`${path} can't be listed: ${describeAnswer(answer)}`);
      found.push(...listAt(answer.body, "items"));
      next = textAt(answer.body, "metadata", "continue") || undefined;
    } while (next !== undefined);
    return found;
  }

  async connect(pod: PodRef, port: number): Promise<Duplex> {
    const { connectToPod } = await import("./pod-connection.ts");
    return connectToPod(this.#config, pod, port);
  }

  close(): void {
    this.#api.close();
  }
}
