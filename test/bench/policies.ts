/** The YAML of the benchmarked mesh: what a careful user would write for an important service. */

import { stringify } from "yaml";
import type { Wire } from "./ground.ts";

/** How many there are of each thing: 1 is the usual bench. */
export interface Scale {
  /** Routes in the table of the dialled Service; requests match the last one. */
  readonly routes: number;
  readonly endpoints: number;
  /** The Services in the mesh, including the dialled one, each with its own RetryPolicy. */
  readonly services: number;
}

export const defaultScale: Scale = { routes: 1, endpoints: 1, services: 1 };

const appProtocols: Readonly<Record<Wire, string>> = {
  http1: "http",
  http2: "kubernetes.io/h2c",
  tcp: "tulle.dev/opaque",
};

/** Kubernetes objects of namespace `bench`; applications listen on `firstPort` and the ports after it. */
export function policies(wire: Wire, firstPort: number, { routes, endpoints, services }: Scale): readonly object[] {
  const ports = Array.from({ length: endpoints }, (_, index) => ({ containerPort: firstPort + index, name: "app" }));
  const service = (name: string) => {
    const port = { port: 80, targetPort: "app", appProtocol: appProtocols[wire] };
    return object("v1", "Service", name, { selector: { app: "app" }, ports: [port] });
  };
  return [
    workload("client", "client", []),
    workload("app", "server", ports),
    ...["app", "app-v1", "app-v2"].map(service),
    ...Array.from({ length: services - 1 }, (_, index) => `other-${index}`).flatMap((name) => [
      service(name),
      object("tulle.dev/v1alpha1", "RetryPolicy", name, { targetRefs: [{ kind: "Service", name }], maxAttempts: 4 }),
    ]),
    policy("RetryPolicy", { maxAttempts: 3 }),
    policy("TimeoutPolicy", { request: "15s", idle: "5m", connect: "1s" }),
    policy("CircuitBreaker", { failureThreshold: 5, openDuration: "5s" }),
    policy("AccessPolicy", {
      action: "allow",
      rules: [{ from: [{ identity: "spiffe://cluster.local/ns/bench/sa/client" }] }],
      mtls: "strict",
    }),
    policy("TrafficSplit", {
      service: "app",
      ...(routes > 1 && { match: Array.from({ length: routes - 1 }, (_, index) => otherRoute(index)) }),
      backends: [
        { service: "app-v1", weight: 90 },
        { service: "app-v2", weight: 10 },
      ],
    }),
  ];
}

export function toYaml(objects: readonly object[]): string {
  return objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join("---\n");
}

function otherRoute(index: number): object {
  return { path: { value: `/api/v2/resource-${index}` }, backends: [{ service: "app-v1", weight: 1 }] };
}

function workload(name: string, serviceAccountName: string, ports: readonly object[]): object {
  const labels = { app: name };
  const spec = { serviceAccountName, containers: [{ name, image: "none", ports }] };
  return object("apps/v1", "Deployment", name, {
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec },
  });
}

function policy(kind: string, spec: object): object {
  return object("tulle.dev/v1alpha1", kind, "app", spec);
}

function object(apiVersion: string, kind: string, name: string, spec: object): object {
  return { apiVersion, kind, metadata: { namespace: "bench", name }, spec };
}
