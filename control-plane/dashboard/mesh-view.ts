/** The mesh as the dashboard and `tulle top` show it: plain data, made anew from what is true now. */

import { version } from "../../system/version.ts";
import type { ResourceName } from "../compile/compiler.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Peer } from "../push/push-hub.ts";
import { formatProblem } from "../source/problem.ts";
import type { PolicyStatus } from "../status/policy-status.ts";
import type { RouteStatus } from "../status/route-status.ts";
import type { TraceView } from "../traffic/trace-store.ts";
import type { BreakerTraffic, EdgeTraffic, LostCalls, ServiceLatency, Traffic } from "../traffic/traffic-store.ts";

const mostSubjects = 20;

export interface MeshView {
  /** Of this control plane. */
  readonly version: string;
  /** Over how many milliseconds traffic is counted. */
  readonly windowMs: number;
  readonly edges: readonly EdgeTraffic[];
  readonly latencies: readonly ServiceLatency[];
  readonly breakers: readonly BreakerTraffic[];
  readonly splits: readonly SplitView[];
  readonly policies: readonly PolicyView[];
  readonly sidecars: readonly SidecarView[];
  /** The newest first. */
  readonly traces: readonly TraceView[];
  readonly lost: readonly LostCalls[];
  /** One line each: where, which field, what is allowed. */
  readonly problems: readonly string[];
}

/** A route that sends to several backends. */
export interface SplitView {
  /** `namespace/name` of what is dialled. */
  readonly service: string;
  readonly route: string;
  readonly backends: readonly {
    readonly service: string;
    /** 0 to 1. */
    readonly wanted: number;
    /** 0 to 1; absent: there was no traffic. */
    readonly observed?: number;
  }[];
}

export interface PolicyView {
  readonly kind: string;
  readonly name: string;
  readonly conditions: readonly ConditionView[];
  /** What it is in force for, `namespace/name` of Services and workloads; sorted, and some of them where there are many. */
  readonly subjects: readonly string[];
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly message: string;
  /** It is as a policy's author wants it. */
  readonly good: boolean;
}

export interface SidecarView {
  readonly pod: string;
  readonly workload: string;
  /** `namespace/name` of those that its pod is an endpoint of; sorted. */
  readonly services: readonly string[];
  readonly identity: string;
  readonly version: string;
  /** Of its pod; absent: the source does not know the pod (yet). */
  readonly address?: string;
  /** ms since 1970; absent: it has not said yet. */
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

/** Once for each, however many ports it has. */
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

/** `shop/catalog` for `catalog.shop.svc.cluster.local:80`; a workload's name is so already. */
function subjectsOf(resources: readonly ResourceName[]): readonly string[] {
  const names = resources.map(({ name }) => {
    const [service = "", namespace = ""] = name.split(".");
    return name.includes("/") ? name : `${namespace}/${service}`;
  });
  return [...new Set(names)].sort().slice(0, mostSubjects);
}

function policyView({ kind, namespace, name, conditions }: PolicyStatus): Omit<PolicyView, "subjects"> {
  return { kind, name: `${namespace}/${name}`, conditions: conditions.map(conditionView) };
}

/** Of its first parent that is not all well, else of its first. */
function routeView({ kind, namespace, name, parents }: RouteStatus): Omit<PolicyView, "subjects"> {
  const seen = parents.map(({ conditions }) => conditions.map(conditionView));
  const shown = seen.find((conditions) => conditions.some(({ good }) => !good)) ?? seen[0];
  return { kind, name: `${namespace}/${name}`, conditions: shown ?? [] };
}

/** `PartiallyInvalid` is the one condition that is better absent (Gateway API). */
function conditionView({ type, status, message }: Pick<ConditionView, "type" | "status" | "message">): ConditionView {
  return { type, status, message, good: (status === "True") !== (type === "PartiallyInvalid") };
}

/** Weights as they are in force, beside the shares that callers' sidecars have seen. */
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

/** The split with the shares that are seen in these edges, and with no others. */
export function observe({ service, route, backends }: SplitView, edges: readonly EdgeTraffic[]): SplitView {
  const seen = backends.map((backend) => requestsTo(edges, service, backend.service));
  const all = seen.reduce((sum, rate) => sum + rate, 0);
  return {
    service,
    route,
    backends: backends.map(({ service: name, wanted }, place) => ({
      service: name,
      wanted,
      ...(all > 0 && { observed: (seen[place] ?? 0) / all }),
    })),
  };
}

function requestsTo(edges: readonly EdgeTraffic[], service: string, backend: string): number {
  return edges
    .filter((edge) => edge.service === service && edge.backend === backend)
    .reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
}
