/** The mesh as the dashboard and `tulle top` show it: plain data, computed from what is true now. */

import { version } from "../../system/version.ts";
import type { ResourceName } from "../compile/compiler.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Peer } from "../push/push-hub.ts";
import { formatProblem } from "../source/problem.ts";
import type { PolicyStatus } from "../status/policy-status.ts";
import type { RouteStatus } from "../status/route-status.ts";
import type { TraceView } from "../traffic/trace-store.ts";
import type { BreakerTraffic, EdgeTraffic, LostCalls, ServiceLatency, Traffic } from "../traffic/traffic-store.ts";

const maxSubjects = 20;

export interface MeshView {
  /** The version of this control plane. */
  readonly version: string;
  /** The length of the window over which traffic is counted, in ms. */
  readonly windowMs: number;
  readonly edges: readonly EdgeTraffic[];
  readonly latencies: readonly ServiceLatency[];
  readonly breakers: readonly BreakerTraffic[];
  readonly splits: readonly SplitView[];
  readonly policies: readonly PolicyView[];
  readonly sidecars: readonly SidecarView[];
  /** Newest first. */
  readonly traces: readonly TraceView[];
  readonly lost: readonly LostCalls[];
  /** One line each: where, which field, and what is allowed. */
  readonly problems: readonly string[];
}

/** A route that splits its requests over several backends. */
export interface SplitView {
  /** `namespace/name` of the dialled Service. */
  readonly service: string;
  readonly route: string;
  readonly backends: readonly {
    readonly service: string;
    /** The configured share, 0 to 1. */
    readonly wanted: number;
    /** The observed share, 0 to 1; absent: there was no traffic. */
    readonly observed?: number;
  }[];
}

export interface PolicyView {
  readonly kind: string;
  readonly name: string;
  readonly conditions: readonly ConditionView[];
  /** Where it is in force: `namespace/name` of Services and workloads; sorted, and truncated if there are many. */
  readonly subjects: readonly string[];
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly message: string;
  /** The condition is as the policy's author wants it. */
  readonly good: boolean;
}

export interface SidecarView {
  readonly pod: string;
  readonly workload: string;
  /** `namespace/name` of the Services that its pod is an endpoint of; sorted. */
  readonly services: readonly string[];
  readonly identity: string;
  readonly version: string;
  /** The pod's address; absent: the source does not know the pod (yet). */
  readonly address?: string;
  /** ms since 1970; absent: not reported yet. */
  readonly certificateEndsMs?: number;
}

export interface ViewSources {
  readonly pipeline: Pipeline;
  readonly policies: readonly PolicyStatus[];
  readonly routes: readonly RouteStatus[];
  readonly problems: Parameters<typeof formatProblem>[0][];
  readonly peers: readonly Peer[];
  readonly traffic: Traffic;
  readonly traces: readonly TraceView[];
}

export function meshView({ pipeline, policies, routes, problems, peers, traffic, traces }: ViewSources): MeshView {
  const { windowMs, edges, latencies, breakers, lost, certificates } = traffic;
  const services = servicesByPod(pipeline);
  return {
    version,
    windowMs,
    edges,
    latencies,
    breakers,
    splits: splitsOf(pipeline, edges),
    policies: [...policies.map(policyView), ...routes.map(routeView)].map((policy) => ({
      ...policy,
      subjects: subjectsOf(pipeline.resourcesWith(`${policy.kind} ${policy.name}`)),
    })),
    traces,
    lost,
    sidecars: peers
      .map(({ namespace, pod, workload, identity, proxyVersion }) => {
        const endsMs = certificates.get(`${namespace}/${pod}`);
        const address = pipeline.index.pod(namespace, pod)?.ip;
        return {
          pod: `${namespace}/${pod}`,
          workload: `${namespace}/${workload}`,
          services: services.get(`${namespace}/${pod}`) ?? [],
          identity,
          version: proxyVersion,
          ...(address !== undefined && { address }),
          ...(endsMs !== undefined && { certificateEndsMs: endsMs }),
        };
      })
      .sort((a, b) => (a.pod < b.pod ? -1 : 1)),
    problems: problems.map(formatProblem),
  };
}

/** Lists each Service once, however many ports it has. */
function servicesByPod({ snapshot }: Pipeline): ReadonlyMap<string, readonly string[]> {
  const services = new Map<string, Set<string>>();
  for (const { resource } of snapshot.list("endpoints")) {
    if (resource.kind !== "endpoints") continue;
    const { service, endpoints } = resource.value;
    for (const { pod } of endpoints) {
      const name = `${service.namespace}/${pod}`;
      services.set(name, (services.get(name) ?? new Set()).add(`${service.namespace}/${service.name}`));
    }
  }
  return new Map([...services].map(([pod, names]) => [pod, [...names].sort()]));
}

/** `shop/catalog` for `catalog.shop.svc.cluster.local:80`; a workload's name already has that form. */
function subjectsOf(resources: readonly ResourceName[]): readonly string[] {
  const names = resources.map(({ name }) => {
    const [service = "", namespace = ""] = name.split(".");
    return name.includes("/") ? name : `${namespace}/${service}`;
  });
  return [...new Set(names)].sort().slice(0, maxSubjects);
}

function policyView({ kind, namespace, name, conditions }: PolicyStatus): Omit<PolicyView, "subjects"> {
  return { kind, name: `${namespace}/${name}`, conditions: conditions.map(conditionView) };
}

/** The conditions of the first parent with a problem, or else of the first parent. */
function routeView({ kind, namespace, name, parents }: RouteStatus): Omit<PolicyView, "subjects"> {
  const seen = parents.map(({ conditions }) => conditions.map(conditionView));
  const shown = seen.find((conditions) => conditions.some(({ good }) => !good)) ?? seen[0];
  return { kind, name: `${namespace}/${name}`, conditions: shown ?? [] };
}

/** `PartiallyInvalid` is the one condition that should be absent (Gateway API). */
function conditionView({ type, status, message }: Pick<ConditionView, "type" | "status" | "message">): ConditionView {
  return { type, status, message, good: (status === "True") !== (type === "PartiallyInvalid") };
}

/** The weights in force, and the shares that callers' sidecars have observed. */
function splitsOf({ snapshot }: Pipeline, edges: readonly EdgeTraffic[]): SplitView[] {
  const splits = new Map<string, SplitView>();
  for (const { resource } of snapshot.list("destination")) {
    if (resource.kind !== "destination") continue;
    const service = `${resource.value.service.namespace}/${resource.value.service.name}`;
    for (const { name, backends } of resource.value.routes) {
      const total = backends.reduce((sum, { weight }) => sum + weight, 0);
      if (backends.length < 2 || total === 0) continue;
      const wanted = backends.map((backend) => ({
        service: `${backend.service.namespace}/${backend.service.name}`,
        wanted: backend.weight / total,
      }));
      splits.set(`${service} ${name}`, observe({ service, route: name, backends: wanted }, edges));
    }
  }
  return [...splits.values()];
}

/** The split with the shares observed on these edges only. */
export function observe({ service, route, backends }: SplitView, edges: readonly EdgeTraffic[]): SplitView {
  const seen = backends.map((backend) => requestsTo(edges, service, backend.service));
  const all = seen.reduce((sum, rate) => sum + rate, 0);
  return {
    service,
    route,
    backends: backends.map(({ service: name, wanted }, index) => ({
      service: name,
      wanted,
      ...(all > 0 && { observed: (seen[index] ?? 0) / all }),
    })),
  };
}

function requestsTo(edges: readonly EdgeTraffic[], service: string, backend: string): number {
  return edges
    .filter((edge) => edge.service === service && edge.backend === backend)
    .reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
}
