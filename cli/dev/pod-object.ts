/** The Pod that a cluster's API server would show for a replica, and the environment that its processes get. Pure. */

import { interceptAnnotation, proxyVersionAnnotation } from "../../control-plane/injection/marks.ts";
import type { DevDeployment, EnvironmentEntry } from "./deployments.ts";

/** All pods of a standalone mesh share one machine. */
export const nodeName = "standalone";
/** A template may set its value, so that zones can be simulated on one machine. */
export const zoneLabel = "topology.kubernetes.io/zone";

/** The identity of a replica. */
export interface PodIdentity {
  readonly namespace: string;
  readonly pod: string;
  readonly podIP: string;
  readonly serviceAccount: string;
  /** The Deployment's name. */
  readonly workload: string;
}

export interface PodStatus {
  readonly ready: boolean;
  /** ISO 8601; absent unless the pod is being deleted. */
  readonly deletionTimestamp?: string;
}

export function podObject(
  identity: PodIdentity,
  deployment: DevDeployment,
  status: PodStatus,
  version: string,
): object {
  const { template } = deployment;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: identity.pod,
      namespace: identity.namespace,
      labels: template.labels,
      // Nothing on this machine forces a program to use its sidecar.
      annotations: { ...template.annotations, [proxyVersionAnnotation]: version, [interceptAnnotation]: "off" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: deployment.name, controller: true }],
      ...(status.deletionTimestamp === undefined ? {} : { deletionTimestamp: status.deletionTimestamp }),
    },
    spec: {
      serviceAccountName: template.serviceAccount,
      nodeName,
      containers: [{ name: deployment.name, ports: template.ports }],
    },
    status: {
      phase: "Running",
      podIP: identity.podIP,
      conditions: [{ type: "Ready", status: status.ready ? "True" : "False" }],
    },
  };
}

/** The telemetry settings that every process inherits from the supervisor's own environment. */
export function telemetryEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => name.startsWith("OTEL_") || name === "TULLE_ACCESS_LOG"),
  );
}

/**
 * The application's environment: the supervisor's, then the container's `env`, then what makes it a member of the mesh. `HOST`
 * is set last: `0.0.0.0`, right in a container, would occupy every replica's port here.
 */
export function applicationEnvironment(
  identity: PodIdentity,
  deployment: DevDeployment,
  proxyUrl: string,
  base: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const { template } = deployment;
  const port = template.ports[0]?.containerPort;
  const otlpHost = hostOf(base["OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const direct = ["localhost", "127.0.0.1", identity.podIP, ...(otlpHost === undefined ? [] : [otlpHost])].join(",");
  return {
    ...base,
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...readEnvironment(template.env, identity, deployment),
    HOST: identity.podIP,
    POD_IP: identity.podIP,
    NODE_USE_ENV_PROXY: "1",
    http_proxy: proxyUrl,
    no_proxy: direct,
    NO_PROXY: direct,
  };
}

function readEnvironment(
  entries: readonly EnvironmentEntry[],
  identity: PodIdentity,
  deployment: DevDeployment,
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const entry of entries)
    env[entry.name] =
      "field" in entry
        ? (podField(entry.field, identity, deployment) ?? "")
        : // `$(NAME)` refers to a variable defined before, as in a cluster.
          entry.value.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (whole, name: string) => env[name] ?? whole);
  return env;
}

/** https://kubernetes.io/docs/concepts/workloads/pods/downward-api/ */
function podField(path: string, identity: PodIdentity, { template }: DevDeployment): string | undefined {
  switch (path) {
    case "metadata.name":
      return identity.pod;
    case "metadata.namespace":
      return identity.namespace;
    case "status.podIP":
      return identity.podIP;
    case "spec.serviceAccountName":
      return identity.serviceAccount;
    default: {
      const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
      if (map === undefined || key === undefined) return undefined;
      return (map === "labels" ? template.labels : template.annotations)[key];
    }
  }
}

function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}
