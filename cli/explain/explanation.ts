/**
 * What would become of a request, step by step, in the order in which it meets them: route, policies, backend, and what the
 * server's side would say. Each step asks the code that decides in the sidecar; nothing is sent.
 */

import { identityOf } from "../../control-plane/compile/endpoints.ts";
import { targetPort } from "../../control-plane/compile/target-port.ts";
import { selects, type Workload } from "../../control-plane/index/pod.ts";
import type { ServicePort } from "../../control-plane/index/service.ts";
import type { Pipeline } from "../../control-plane/pipeline.ts";
import { AccessTable } from "../../model/access.ts";
import { destinationFor } from "../../model/consumer-routes.ts";
import { type ExplainedMatch, explainRoute } from "../../model/explain-route.ts";
import type { CircuitBreakerPolicy, NamedRateLimits } from "../../model/policy.ts";
import type { PolicyKind } from "../../model/policy-object.ts";
import type { Destination, Endpoints, Inbound, Protocol, Route, WeightedBackend } from "../../model/resources.ts";
import { destinationName } from "../../model/service-host.ts";
import { stickyKey } from "../../model/sticky.ts";
import { WeightedChoice } from "../../model/weighted-choice.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import { UsageError } from "../usage-error.ts";
import type { DescribedRequest } from "./described-request.ts";
import { type ExplainedTry, explainTries } from "./explained-tries.ts";

export interface Explanation {
  /** In full: `catalog.shop.svc.cluster.local:80`. */
  readonly destination: string;
  readonly protocol: Protocol;
  /** Of the workload that asks; absent: it is not in the mesh. */
  readonly callerIdentity?: string;
  /** Absent: none matches, and the caller gets 404 `no_route`. */
  readonly route?: Route;
  readonly matches: readonly ExplainedMatch[];
  /** Where the route's retry, timeout and faults come from; a kind that is absent has no policy. */
  readonly policies: Readonly<Partial<Record<PolicyKind, string>>>;
  readonly tries: readonly ExplainedTry[];
  readonly backends: readonly ExplainedBackend[];
}

export interface ExplainedBackend {
  /** `shop/catalog-v1`. */
  readonly service: string;
  /** The share of such requests that it gets, 0 to 100. */
  readonly percent: number;
  /** The key in the request that decided, where the route is sticky. */
  readonly stickyTo?: string;
  /** Why requests that fall here are answered with 500. */
  readonly invalid?: string;
  readonly endpoints: { readonly ready: number; readonly terminating: number; readonly outsideMesh: number };
  readonly breaker?: CircuitBreakerPolicy;
  readonly server: readonly ExplainedServer[];
}

/** What a workload behind a backend would say. */
export interface ExplainedServer {
  readonly workload: string;
  readonly port: number;
  /** `forbidden` and `path_ambiguous` as in docs/errors.md; `plaintext`: it takes nothing but mutual TLS. */
  readonly access: "admitted" | "forbidden" | "path_ambiguous" | "plaintext";
  /** The policy that refused, or that would have if it were enforced. */
  readonly by?: string;
  readonly rateLimits: readonly NamedRateLimits[];
}

/** Throws a `UsageError` where nothing of that name is known. */
export function explain(pipeline: Pipeline, request: DescribedRequest, domains: MeshDomains): Explanation {
  const caller = callerOf(pipeline, request);
  const callerIdentity = caller && identityOf(caller, domains);
  const destination = destinationOf(pipeline, request, domains);
  const { taken, matches } = explainRoute(destination.routes, request);
  const about = { pipeline, request, destination, callerIdentity, domains };
  return {
    destination: destination.name,
    protocol: destination.protocol,
    ...(callerIdentity !== undefined && { callerIdentity }),
    ...(taken !== undefined && { route: taken }),
    matches,
    policies: taken === undefined ? {} : policiesOf(about, taken),
    tries: taken === undefined ? [] : explainTries(taken.retry, request),
    backends: taken === undefined ? [] : backendsOf(about, taken),
  };
}

interface About {
  readonly pipeline: Pipeline;
  readonly request: DescribedRequest;
  readonly destination: Destination;
  readonly callerIdentity: string | undefined;
  readonly domains: MeshDomains;
}

function callerOf(pipeline: Pipeline, { from }: DescribedRequest): Workload | undefined {
  const { namespace, workload: name } = from;
  if (name === undefined) return undefined;
  const found = pipeline.index.workload(namespace, name);
  if (found !== undefined) return found;
  const there = pipeline.index.workloads().map((workload) => `${workload.namespace}/${workload.name}`);
  throw new UsageError(`no workload ${namespace}/${name}; there are ${there.join(", ") || "none"}`);
}

function destinationOf({ snapshot }: Pipeline, request: DescribedRequest, { clusterDomain }: MeshDomains): Destination {
  const { host, port, from } = request;
  const name = destinationName(host, port, from.namespace, clusterDomain);
  const published = name === undefined ? undefined : snapshot.get("destination", name);
  if (published?.resource.kind === "destination") return destinationFor(from.namespace, published.resource.value);
  const there = snapshot.list("destination").map((resource) => resource.name);
  throw new UsageError(
    `no Service for ${name ?? `${host}:${port}`}, so the mesh would not touch it; there are ${there.join(", ") || "none"}`,
  );
}

/** As the compile step looks them up: those of the route's rule, else of the route, else of what was dialled. */
function policiesOf({ pipeline: { index }, destination, request }: About, route: Route): Explanation["policies"] {
  const service = index.service(destination.service.namespace, destination.service.name);
  const port = service?.ports.find((candidate) => candidate.port === request.port);
  if (service === undefined || port === undefined) return {};
  const rule = index
    .routesOf(service)
    .flatMap((gateway) => gateway.rules.map((each, place) => ({ gateway, name: each.name, shown: each.name ?? place })))
    .find(
      ({ gateway: { kind, namespace, name }, shown }) => route.name === `${kind} ${namespace}/${name} rule ${shown}`,
    );
  const nameOf = (kind: "RetryPolicy" | "TimeoutPolicy" | "FaultInjection") => {
    const ofRule = rule && index.routePolicyFor(kind, rule.gateway, rule.name);
    const policy = ofRule ?? index.policyFor(kind, service, port);
    return policy === undefined ? {} : { [kind]: `${policy.namespace}/${policy.name}` };
  };
  return { ...nameOf("RetryPolicy"), ...nameOf("TimeoutPolicy"), ...nameOf("FaultInjection") };
}

function backendsOf(about: About, route: Route): ExplainedBackend[] {
  const { backends, sticky } = route;
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const key = sticky && stickyKey(sticky, about.request.headers);
  const chosen = key === undefined ? undefined : stickyPlace(backends, key);
  return backends.map((backend, place) => {
    const shareOfAll = total === 0 ? 0 : (backend.weight / total) * 100;
    const share = chosen === undefined ? shareOfAll : place === chosen ? 100 : 0;
    return {
      service: `${backend.service.namespace}/${backend.service.name}`,
      percent: share,
      ...(place === chosen && key !== undefined && { stickyTo: key }),
      ...(backend.invalid !== undefined && { invalid: backend.invalid }),
      ...behind(about, backend),
    };
  });
}

/** The sidecar's own choice: see `split`. */
function stickyPlace(backends: readonly WeightedBackend[], key: string): number | undefined {
  const weights = backends.map(({ weight }) => weight);
  const names = backends.map(({ endpoints }) => endpoints);
  return new WeightedChoice(weights, names).pickSticky(key);
}

function behind(about: About, backend: WeightedBackend): Pick<ExplainedBackend, "endpoints" | "breaker" | "server"> {
  const published = about.pipeline.snapshot.get("endpoints", backend.endpoints);
  const resource = published?.resource.kind === "endpoints" ? published.resource.value : undefined;
  const breaker = resource?.breaker;
  return {
    endpoints: countEndpoints(resource),
    ...(breaker !== undefined && { breaker }),
    server: serversOf(about, backend),
  };
}

function countEndpoints(resource: Endpoints | undefined): ExplainedBackend["endpoints"] {
  const all = resource?.endpoints ?? [];
  const ready = all.filter(({ state }) => state === "ready").length;
  const outsideMesh = all.filter(({ identity }) => identity === undefined).length;
  return { ready, terminating: all.length - ready, outsideMesh };
}

function serversOf(about: About, { service: { namespace, name }, endpoints }: WeightedBackend): ExplainedServer[] {
  const { index, snapshot } = about.pipeline;
  const service = index.service(namespace, name);
  const number = Number(endpoints.slice(endpoints.lastIndexOf(":") + 1));
  const port = service?.ports.find((candidate) => candidate.port === number);
  if (service === undefined || port === undefined || service.selector.size === 0) return [];
  return index
    .workloads()
    .filter((workload) => workload.namespace === namespace && selects(service.selector, workload.labels))
    .flatMap((workload) => {
      const published = snapshot.get("inbound", `${namespace}/${workload.name}`);
      if (published?.resource.kind !== "inbound") return [];
      return serverOf(about, workload, port, published.resource.value) ?? [];
    });
}

function serverOf(about: About, workload: Workload, port: ServicePort, inbound: Inbound): ExplainedServer | undefined {
  const target = targetPort(workload, port);
  if (target === undefined) return undefined;
  const { request, callerIdentity: peer, domains } = about;
  const policies = inbound.ports.find((listed) => listed.port === target) ?? inbound.elsewhere ?? {};
  const { rateLimits = [] } = policies;
  const asked = { workload: inbound.name, port: target, rateLimits };
  if (peer === undefined && policies.mtls === "strict") return { ...asked, access: "plaintext" };
  const http = { method: request.method, path: request.path };
  const verdict = new AccessTable(policies.access ?? [], domains.trustDomain).decide({ peer, http });
  switch (verdict.kind) {
    case "admitted":
      return { ...asked, access: "admitted", ...(verdict.wouldRefuse !== undefined && { by: verdict.wouldRefuse }) };
    case "refused":
      return { ...asked, access: "forbidden", ...(verdict.by !== undefined && { by: verdict.by }) };
    case "ambiguous-path":
      return { ...asked, access: "path_ambiguous" };
  }
}
