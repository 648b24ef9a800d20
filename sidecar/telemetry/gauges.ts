/** The gauges that show the live state of a sidecar: read at each scrape, stored nowhere. */

import type { ResourceKind, WeightedBackend } from "../../model/resources.ts";
import type { RetryBudget } from "../../model/retry-budget.ts";
import type { Identity } from "../identity/credentials.ts";
import type { SidecarState } from "../sidecar.ts";
import { sidecarMetrics } from "./metrics.ts";
import type { MetricRegistry } from "./registry.ts";

export interface GaugeSources {
  readonly state: () => SidecarState;
  readonly identity: Identity;
  readonly controlStreamConnected: () => boolean;
  /** When a resource of each kind was last put in force, in ms since 1970. */
  readonly appliedAtMs: ReadonlyMap<ResourceKind, number>;
}

const breakerNumbers = { closed: 0, "half-open": 1, open: 2 } as const;

export function exposeGauges(registry: MetricRegistry, sources: GaugeSources): void {
  exposeBackends(registry, sources);
  exposeDestinations(registry, sources);
  exposeKeyedRequests(registry, sources);
  exposeConnections(registry, sources);
  registry.gauge(sidecarMetrics.inboundPolicyInfo, (emit) => {
    const { inboundVersion: version } = sources.state();
    if (version !== undefined) emit({ version }, 1);
  });
  registry.gauge(sidecarMetrics.policyApplied, (emit) => {
    for (const [kind, atMs] of sources.appliedAtMs) emit({ kind }, atMs / 1_000);
  });
}

function exposeBackends(registry: MetricRegistry, { state }: GaugeSources): void {
  registry.gauge(sidecarMetrics.breakerState, (emit) => {
    for (const backend of state().backends.all) {
      for (const { breakerState, endpoint } of backend.liveEndpoints) {
        if (breakerState !== undefined) {
          emit({ backend: backend.name, endpoint: endpoint.address }, breakerNumbers[breakerState]);
        }
      }
    }
  });
  registry.gauge(sidecarMetrics.pendingRequests, (emit) => {
    for (const { name, pending } of state().backends.all) emit({ backend: name }, pending);
  });
  registry.gauge(sidecarMetrics.endpoints, (emit) => {
    for (const backend of state().backends.all) {
      const counts = { ready: 0, terminating: 0 };
      for (const { endpoint } of backend.liveEndpoints) counts[endpoint.state]++;
      for (const name of ["ready", "terminating"] as const) emit({ backend: backend.name, state: name }, counts[name]);
    }
  });
}

function exposeDestinations(registry: MetricRegistry, { state }: GaugeSources): void {
  registry.gauge(sidecarMetrics.splitWeight, (emit) => {
    for (const { service, routes } of state().destinations.known) {
      // Each match of a rule is a route of its own; all of them have the rule's name and backends.
      const byName = new Map(routes.map((route) => [route.name, route]));
      for (const [route, { backends }] of byName) {
        for (const [backend, weight] of weightsOf(backends)) {
          emit({ service: `${service.namespace}/${service.name}`, route, backend }, weight);
        }
      }
    }
  });
  registry.gauge(sidecarMetrics.retryBudgetAllowed, (emit) => {
    for (const [service, { allowed }] of tightestBudgets(state())) emit({ service }, allowed);
  });
  registry.gauge(sidecarMetrics.retryBudgetRemaining, (emit) => {
    for (const [service, { remaining }] of tightestBudgets(state())) emit({ service }, remaining);
  });
}

function exposeKeyedRequests(registry: MetricRegistry, { state }: GaugeSources): void {
  registry.gauge(sidecarMetrics.idempotencyKeys, (emit) => {
    const { inFlight, answered, bare } = state().keyed.held;
    emit({ state: "in_flight" }, inFlight);
    emit({ state: "answered" }, answered);
    emit({ state: "bare" }, bare);
  });
  registry.gauge(sidecarMetrics.idempotencyBytes, (emit) => emit({}, state().keyed.held.bytes));
}

function exposeConnections(registry: MetricRegistry, { state, identity, controlStreamConnected }: GaugeSources): void {
  registry.gauge(sidecarMetrics.connections, (emit) => {
    emit({ direction: "outbound" }, state().linkCount);
    emit({ direction: "inbound" }, state().inboundCount);
  });
  registry.gauge(sidecarMetrics.certificateNotBefore, (emit) => emit({}, identity.current().notBeforeMs / 1_000));
  registry.gauge(sidecarMetrics.certificateExpiry, (emit) => emit({}, identity.current().notAfterMs / 1_000));
  registry.gauge(sidecarMetrics.controlStreamConnected, (emit) => emit({}, controlStreamConnected() ? 1 : 0));
}

/** Adds up weights by Service, because a route may name one several times, with different ports or filters. */
function weightsOf(backends: readonly WeightedBackend[]): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const { service, weight } of backends) {
    const name = `${service.namespace}/${service.name}`;
    weights.set(name, (weights.get(name) ?? 0) + weight);
  }
  return weights;
}

type BudgetStanding = RetryBudget["standing"];

/** The tightest retry budget of each Service: it may have a destination per port, and each of those a budget per policy. */
function tightestBudgets({ destinations, retryBudgets }: SidecarState): ReadonlyMap<string, BudgetStanding> {
  const tightest = new Map<string, BudgetStanding>();
  for (const { name, service } of destinations.known) {
    const key = `${service.namespace}/${service.name}`;
    for (const { standing } of retryBudgets.ofDestination(name)) {
      const known = tightest.get(key);
      if (known === undefined || standing.remaining < known.remaining) tightest.set(key, standing);
    }
  }
  return tightest;
}
