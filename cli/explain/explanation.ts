/**
 * What would happen to a request, step by step, in the order in which it passes them: route, policies, backend, and the server
 * side's answer. Each step runs the code that decides in the sidecar; nothing is sent.
 */

import { AccessTable } from "../../model/access.ts";
import { destinationFor } from "../../model/consumer-routes.ts";
import { type ExplainedMatch, explainRoute } from "../../model/explain-route.ts";
import { judgeKey, type KeyVerdict, keyIn, knownKeyIn } from "../../model/idempotency.ts";
import type {
  CircuitBreakerPolicy,
  FaultPolicy,
  NamedIdempotencyRules,
  NamedRateLimits,
  TelemetryPolicy,
} from "../../model/policy.ts";
import type { Destination, Endpoints, Protocol, Route, WeightedBackend } from "../../model/resources.ts";
import { compileMatches } from "../../model/route-match.ts";
import { destinationName } from "../../model/service-host.ts";
import { stickyKey } from "../../model/sticky.ts";
import { WeightedChoice } from "../../model/weighted-choice.ts";
import { thereAre } from "../known-names.ts";
import { UsageError } from "../usage-error.ts";
import type { DescribedRequest } from "./described-request.ts";
import { type ExplainedTry, explainTries } from "./explained-tries.ts";
import type { BreakerState, KnownServer, MeshFacts, PolicyNames } from "./mesh-facts.ts";

export interface Explanation {
  /** The full name: `catalog.shop.svc.cluster.local:80`. */
  readonly destination: string;
  readonly protocol: Protocol;
  /** The protocol that the request asks to switch to, such as `websocket`. */
  readonly upgrade?: string;
  /** The identity of the calling workload; absent: it is not in the mesh. */
  readonly callerIdentity?: string;
  /** Absent: no route matches, and the caller gets 404 `no_route`. */
  readonly route?: Route;
  readonly matches: readonly ExplainedMatch[];
  /** The policies behind the route's retry, timeout, faults and telemetry; an absent kind has no policy. */
  readonly policies: PolicyNames;
  /** What the caller's sidecar records; for absent fields its own settings apply. */
  readonly telemetry: TelemetryPolicy;
  readonly tries: readonly ExplainedTry[];
  /** Absent: the route has none. */
  readonly fault?: ExplainedFault;
  readonly backends: readonly ExplainedBackend[];
}

/** Injected faults, until their time is over. */
export interface ExplainedFault {
  readonly policy: FaultPolicy;
  /** Whether such a request is among those that may get them. */
  readonly touches: boolean;
}

export interface ExplainedBackend {
  /** `shop/catalog-v1`. */
  readonly service: string;
  /** The share of such requests that go to it, 0 to 100. */
  readonly percent: number;
  /** The key in the request that decided: the sticky route's, or else its `Idempotency-Key`. */
  readonly stickyTo?: string;
  /** Why requests to this backend get 500. */
  readonly invalid?: string;
  readonly endpoints: { readonly ready: number; readonly terminating: number; readonly outsideMesh: number };
  readonly breaker?: CircuitBreakerPolicy;
  /** Endpoints whose breaker is not closed now, as far as this is known. */
  readonly tripped: readonly TrippedEndpoint[];
  readonly server: readonly ExplainedServer[];
}

export interface TrippedEndpoint {
  /** `podIP:containerPort`. */
  readonly address: string;
  readonly breaker: Exclude<BreakerState, "closed">;
}

/** The answer of a workload behind a backend. */
export interface ExplainedServer {
  readonly workload: string;
  readonly port: number;
  /** The pods that answer like this, if others of the workload answer differently. */
  readonly pods?: readonly string[];
  /** `forbidden` and `path_ambiguous` as in docs/errors.md; `plaintext`: it accepts only mutual TLS. */
  readonly access: "admitted" | "forbidden" | "path_ambiguous" | "plaintext";
  /** The policy that refused, or would have refused if it were enforced. */
  readonly by?: string;
  readonly rateLimits: readonly NamedRateLimits[];
  /** Absent: keys have no meaning there. */
  readonly idempotency?: ExplainedIdempotency;
}

export interface ExplainedIdempotency {
  readonly rules: NamedIdempotencyRules;
  /** `pass`: the policy does not concern such a request. */
  readonly verdict: KeyVerdict["kind"];
}

/** Throws a `UsageError` if nothing of that name is known. */
export function explain(facts: MeshFacts, request: DescribedRequest): Explanation {
  const { namespace, workload } = request.from;
  const callerIdentity = workload === undefined ? undefined : facts.identityOf(namespace, workload);
  const destination = destinationOf(facts, request);
  const { taken, matches } = explainRoute(destination.routes, request);
  const about = { facts, request, callerIdentity };
  const backends = taken === undefined ? [] : backendsOf(about, taken);
  return {
    destination: destination.name,
    protocol: destination.protocol,
    ...(request.upgrade !== undefined && { upgrade: request.upgrade }),
    ...(callerIdentity !== undefined && { callerIdentity }),
    ...(taken !== undefined && { route: taken }),
    matches,
    policies: taken === undefined ? {} : facts.policiesOf(destination, taken, request.port),
    telemetry: telemetryOf(destination, taken),
    tries: taken === undefined ? [] : triesOf(about, taken, backends),
    ...(taken?.fault !== undefined && { fault: faultOn(request, taken.fault) }),
    backends,
  };
}

/** Requests with the same key all go to one backend, so that one must recognize the key. */
function triesOf({ facts, request }: About, route: Route, explained: readonly ExplainedBackend[]): ExplainedTry[] {
  const isKnown = route.backends.some(({ endpoints }, index) => {
    const keys = (explained[index]?.percent ?? 0) > 0 ? facts.endpoints(endpoints)?.idempotency : undefined;
    return keys !== undefined && knownKeyIn(keys, request.method, request.headers) !== undefined;
  });
  return explainTries(route.retry, route.timeout.requestMs, request, isKnown);
}

function faultOn(request: DescribedRequest, policy: FaultPolicy): ExplainedFault {
  return { policy, touches: compileMatches(policy.matches)(request) };
}

function telemetryOf(destination: Destination, route: Route | undefined): TelemetryPolicy {
  const samplingRatio = route?.samplingRatio ?? destination.samplingRatio;
  const accessLog = route?.accessLog ?? destination.accessLog;
  return { ...(samplingRatio !== undefined && { samplingRatio }), ...(accessLog && { accessLog }) };
}

interface About {
  readonly facts: MeshFacts;
  readonly request: DescribedRequest;
  readonly callerIdentity: string | undefined;
}

function destinationOf(facts: MeshFacts, { host, port, from }: DescribedRequest): Destination {
  const name = destinationName(host, port, from.namespace, facts.clusterDomain);
  const destination = name === undefined ? undefined : facts.destination(name);
  if (destination !== undefined) return destinationFor(from.namespace, destination);
  const wanted = name ?? `${host}:${port}`;
  const lookedUp = host.includes(".")
    ? ""
    : ` (short names are looked up in the caller's namespace, ${from.namespace})`;
  throw new UsageError(`${facts.unknown(wanted)}${lookedUp}; ${thereAre(facts.destinations(), wanted)}`);
}

function backendsOf(about: About, route: Route): ExplainedBackend[] {
  const { backends, sticky } = route;
  const { headers } = about.request;
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  const key = (sticky && stickyKey(sticky, headers)) ?? (backends.length > 1 ? keyIn(headers) : undefined);
  const chosen = key === undefined ? undefined : stickyPlace(backends, key);
  return backends.map((backend, index) => {
    const shareOfAll = total === 0 ? 0 : (backend.weight / total) * 100;
    const share = chosen === undefined ? shareOfAll : index === chosen ? 100 : 0;
    return {
      service: `${backend.service.namespace}/${backend.service.name}`,
      percent: share,
      ...(index === chosen && key !== undefined && { stickyTo: key }),
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

function behind(about: About, backend: WeightedBackend): Omit<ExplainedBackend, "service" | "percent"> {
  const { facts } = about;
  const resource = facts.endpoints(backend.endpoints);
  const breaker = resource?.breaker;
  const tripped = (resource?.endpoints ?? []).flatMap(({ address }): TrippedEndpoint[] => {
    const state = facts.breakerState?.(backend.endpoints, address) ?? "closed";
    return state === "closed" ? [] : [{ address, breaker: state }];
  });
  return {
    endpoints: countEndpoints(resource),
    ...(breaker !== undefined && { breaker }),
    tripped,
    server: facts.serversOf(backend).map((server) => serverOf(about, server)),
  };
}

function countEndpoints(resource: Endpoints | undefined): ExplainedBackend["endpoints"] {
  const all = resource?.endpoints ?? [];
  const ready = all.filter(({ state }) => state === "ready").length;
  const outsideMesh = all.filter(({ identity }) => identity === undefined).length;
  return { ready, terminating: all.length - ready, outsideMesh };
}

function serverOf({ facts, request, callerIdentity: peer }: About, server: KnownServer): ExplainedServer {
  const { workload, port, policies, pods } = server;
  const { rateLimits = [], idempotency: rules } = policies;
  const idempotency = rules && { rules, verdict: judgeKey(rules, request.method, request.headers).kind };
  const asked = { workload, port, ...(pods && { pods }), rateLimits, ...(idempotency && { idempotency }) };
  if (peer === undefined && policies.mtls === "strict") return { ...asked, access: "plaintext" };
  const http = { method: request.method, path: request.path };
  const verdict = new AccessTable(policies.access ?? [], facts.trustDomain).decide({ peer, http });
  switch (verdict.kind) {
    case "admitted":
      return { ...asked, access: "admitted", ...(verdict.wouldRefuse !== undefined && { by: verdict.wouldRefuse }) };
    case "refused":
      return { ...asked, access: "forbidden", ...(verdict.by !== undefined && { by: verdict.by }) };
    case "ambiguous-path":
      return { ...asked, access: "path_ambiguous" };
  }
}
