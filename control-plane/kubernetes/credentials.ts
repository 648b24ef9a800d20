/**
 * Which API server to use, and as whom: the one file that loads `@kubernetes/client-node`. That costs 50 MB and a quarter of a
 * second, so only `openClusterApi` imports it, at run time: standalone never pays for it.
 */

import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";

export interface ClusterCredentials {
  /** The URL of the API server; it may have a path. */
  readonly server: URL;
  /** TLS options and headers for one request: tokens and certificates are read again when they change. */
  apply(): Promise<RequestOptions>;
}

/** From a file, else from `$KUBECONFIG`, `~/.kube/config`, or the pod's own service account. Throws a one-line error. */
export function loadCredentials(kubeconfig: string | undefined): ClusterCredentials {
  const config = loadKubeConfig(kubeconfig);
  if (config !== undefined) return credentialsOf(config);
  throw new Error(`${kubeconfig ?? "the environment"} names no cluster: set KUBECONFIG, or run in a pod`);
}

/** Where the library looks without any configuration; nothing listens there. */
const fallback = "http://localhost:8080";

/** Undefined: no cluster is configured. Throws a one-line error if the file can't be read, or has no such context. */
export function loadKubeConfig(kubeconfig: string | undefined, context?: string): KubeConfig | undefined {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new Error(`${kubeconfig ?? "the kubeconfig"} can't be read`, { cause: error });
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const known = config.getCurrentCluster()?.server === fallback ? [] : config.getContexts();
      throw new Error(`no context ${context}; there are ${known.map(({ name }) => name).join(", ") || "none"}`);
    }
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  const isNamed = cluster !== null && URL.canParse(cluster.server) && cluster.server !== fallback;
  return isNamed ? config : undefined;
}

/** The credentials of the current context. Throws a one-line error. */
export function credentialsOf(config: KubeConfig): ClusterCredentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error("the kubeconfig names no cluster");
  if (cluster.proxyUrl !== undefined) throw new Error("a cluster behind a proxy-url is not supported");
  return {
    server: new URL(cluster.server),
    async apply() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      delete options.agent;
      return options;
    },
  };
}
