/**
 * Decodes messages into the model, with checks: a sidecar must not trip over what it was sent, so a value out of range is an
 * error here and becomes a nack. Regular expressions are checked when they are compiled.
 */

import type { CircuitBreakerPolicy, RetryPolicy, TimeoutPolicy } from "../model/policy.ts";
import type {
  Endpoint,
  KnownKeys,
  Resource,
  ResourceKind,
  Route,
  RouteFilter,
  RouteMirror,
  ServiceRef,
  WeightedBackend,
} from "../model/resources.ts";
import { err, type FieldError, ok, type Result } from "../model/result.ts";
import { decodeFault } from "./decode-fault.ts";
import { decodeFilter } from "./decode-filter.ts";
import { decodeAccessLog, decodeInbound } from "./decode-inbound.ts";
import { decodeRouteMatch } from "./decode-match.ts";
import {
  answerStores,
  breakerScopes,
  endpointStates,
  failureCounts,
  failureKinds,
  modelWord,
  protocols,
  resourceKinds,
  retryConditions,
  stickyBys,
} from "./enums.ts";
import { Faults } from "./faults.ts";
import type { CircuitBreakerPolicy__Output } from "./generated/tulle/v1/CircuitBreakerPolicy.ts";
import type { Endpoint__Output } from "./generated/tulle/v1/Endpoint.ts";
import type { KnownKeys__Output } from "./generated/tulle/v1/KnownKeys.ts";
import type { Resource__Output } from "./generated/tulle/v1/Resource.ts";
import type { ResourceName__Output } from "./generated/tulle/v1/ResourceName.ts";
import type { RetryPolicy__Output } from "./generated/tulle/v1/RetryPolicy.ts";
import type { Route__Output } from "./generated/tulle/v1/Route.ts";
import type { RouteFilter__Output } from "./generated/tulle/v1/RouteFilter.ts";
import type { RouteMirror__Output } from "./generated/tulle/v1/RouteMirror.ts";
import type { ServiceRef__Output } from "./generated/tulle/v1/ServiceRef.ts";
import type { TimeoutPolicy__Output } from "./generated/tulle/v1/TimeoutPolicy.ts";
import type { Update__Output } from "./generated/tulle/v1/Update.ts";
import type { WeightedBackend__Output } from "./generated/tulle/v1/WeightedBackend.ts";
import { decodeMessage } from "./wire.ts";

/** Throws if the bytes are not a protobuf message at all. */
export function decodeUpdate(bytes: Buffer): Update__Output {
  return decodeMessage("Update", bytes) as Update__Output;
}

/** Undefined: this build does not know the kind. */
export function decodeName(
  message: ResourceName__Output | null,
): { readonly kind: ResourceKind; readonly name: string } | undefined {
  const kind = modelWord(resourceKinds, message?.kind);
  return kind === undefined || message === null ? undefined : { kind, name: message.name };
}

/** Returns all faults at once, each with its path from the resource's root. */
export function decodeResource(message: Resource__Output): Result<Resource, FieldError[]> {
  const faults = new Faults();
  const name = faults.filled("name", message.name);
  const resource = decodeBody(message, name, faults);
  if (resource === undefined) return err([{ path: "body", message: "must be of a known kind" }]);
  return faults.list.length > 0 ? err(faults.list) : ok(resource);
}

function decodeBody(message: Resource__Output, name: string, faults: Faults): Resource | undefined {
  const { inbound, destination, endpoints } = message;
  if (inbound) {
    return { kind: "inbound", value: { name, ...decodeInbound(inbound, faults) } };
  }
  if (destination) {
    const service = decodeService("service", destination.service, faults);
    const protocol = faults.word("protocol", protocols, destination.protocol);
    const routes = decodeRoutes("", destination.routes, faults);
    const consumers = destination.consumers.map(({ namespace, routes }, i) => ({
      namespace: faults.filled(`consumers[${i}].namespace`, namespace),
      routes: decodeRoutes(`consumers[${i}].`, routes, faults),
    }));
    const { samplingRatio, accessLog } = destination;
    const value = {
      name,
      service,
      protocol,
      routes,
      ...(consumers.length > 0 && { consumers }),
      ...(samplingRatio !== undefined && { samplingRatio: faults.number("samplingRatio", samplingRatio, 0, 1) }),
      ...decodeAccessLog("accessLog", accessLog, faults),
    };
    return { kind: "destination", value };
  }
  if (endpoints) {
    const { warmUpMs, nodeLocal, affinityMs } = endpoints;
    const value = {
      name,
      service: decodeService("service", endpoints.service, faults),
      protocol: faults.word("protocol", protocols, endpoints.protocol),
      ...(endpoints.breaker && { breaker: decodeBreaker("breaker", endpoints.breaker, faults) }),
      ...(endpoints.idempotency && { idempotency: decodeKnownKeys("idempotency", endpoints.idempotency, faults) }),
      ...(warmUpMs !== undefined && { warmUpMs: faults.integer("warmUpMs", warmUpMs, 1) }),
      ...(nodeLocal && { nodeLocal: true as const }),
      ...(affinityMs !== undefined && { affinityMs: faults.integer("affinityMs", affinityMs, 1) }),
      endpoints: endpoints.endpoints.map((endpoint, i) => decodeEndpoint(`endpoints[${i}]`, endpoint, faults)),
    };
    return { kind: "endpoints", value };
  }
  return undefined;
}

function decodeService(at: string, message: ServiceRef__Output | null, faults: Faults): ServiceRef {
  return {
    namespace: faults.filled(`${at}.namespace`, message?.namespace),
    name: faults.filled(`${at}.name`, message?.name),
  };
}

function decodeKnownKeys(at: string, { methods, store }: KnownKeys__Output, faults: Faults): KnownKeys {
  return {
    methods: methods.map((method, i) => faults.filled(`${at}.methods[${i}]`, method)),
    store: faults.word(`${at}.store`, answerStores, store),
  };
}

function decodeEndpoint(at: string, message: Endpoint__Output, faults: Faults): Endpoint {
  const { identity, node, zone, forZones, forNodes } = message;
  return {
    address: faults.address(`${at}.address`, message.address),
    pod: faults.filled(`${at}.pod`, message.pod),
    ...(identity !== undefined && { identity: faults.filled(`${at}.identity`, identity) }),
    state: faults.word(`${at}.state`, endpointStates, message.state),
    ...(node !== undefined && { node }),
    ...(zone !== undefined && { zone }),
    ...(forZones.length > 0 && { forZones }),
    ...(forNodes.length > 0 && { forNodes }),
  };
}

function decodeRoutes(at: string, routes: Route__Output[], faults: Faults): Route[] {
  return routes.map((route, i) => decodeRoute(`${at}routes[${i}]`, route, faults));
}

function decodeRoute(at: string, message: Route__Output, faults: Faults): Route {
  if (message.timeout === null) faults.add(`${at}.timeout`, "is required");
  return {
    name: faults.filled(`${at}.name`, message.name),
    matches: message.matches.map((match, i) => decodeRouteMatch(`${at}.matches[${i}]`, match, faults)),
    backends: message.backends.map((backend, i) => decodeBackend(`${at}.backends[${i}]`, backend, faults)),
    ...(message.retry && { retry: decodeRetry(`${at}.retry`, message.retry, faults) }),
    timeout: message.timeout === null ? {} : decodeTimeout(`${at}.timeout`, message.timeout, faults),
    ...decodeFilters(at, message.filters, faults),
    ...(message.mirrors.length > 0 && {
      mirrors: message.mirrors.map((mirror, i) => decodeMirror(`${at}.mirrors[${i}]`, mirror, faults)),
    }),
    ...(message.samplingRatio !== undefined && {
      samplingRatio: faults.number(`${at}.samplingRatio`, message.samplingRatio, 0, 1),
    }),
    ...decodeAccessLog(`${at}.accessLog`, message.accessLog, faults),
    ...(message.fault && { fault: decodeFault(`${at}.fault`, message.fault, faults) }),
    ...(message.sticky && {
      sticky: {
        by: faults.word(`${at}.sticky.by`, stickyBys, message.sticky.by),
        name: faults.filled(`${at}.sticky.name`, message.sticky.name),
      },
    }),
  };
}

/** An empty list counts as absent. */
function decodeFilters(at: string, filters: RouteFilter__Output[], faults: Faults): { filters?: RouteFilter[] } {
  if (filters.length === 0) return {};
  return { filters: filters.map((filter, i) => decodeFilter(`${at}.filters[${i}]`, filter, faults)) };
}

function decodeMirror(at: string, message: RouteMirror__Output, faults: Faults): RouteMirror {
  return {
    endpoints: faults.filled(`${at}.endpoints`, message.endpoints),
    service: decodeService(`${at}.service`, message.service, faults),
    percent: faults.number(`${at}.percent`, message.percent, 0, 100),
  };
}

function decodeBackend(at: string, message: WeightedBackend__Output, faults: Faults): WeightedBackend {
  return {
    endpoints: faults.filled(`${at}.endpoints`, message.endpoints),
    service: decodeService(`${at}.service`, message.service, faults),
    weight: faults.integer(`${at}.weight`, message.weight, 0),
    ...decodeFilters(at, message.filters, faults),
    ...(message.invalid !== undefined && { invalid: faults.filled(`${at}.invalid`, message.invalid) }),
  };
}

function decodeTimeout(at: string, message: TimeoutPolicy__Output, faults: Faults): TimeoutPolicy {
  const { requestMs, perTryMs, idleMs, connectMs } = message;
  return {
    ...(requestMs !== undefined && { requestMs: faults.integer(`${at}.requestMs`, requestMs, 0) }),
    ...(perTryMs !== undefined && { perTryMs: faults.integer(`${at}.perTryMs`, perTryMs, 0) }),
    ...(idleMs !== undefined && { idleMs: faults.integer(`${at}.idleMs`, idleMs, 0) }),
    ...(connectMs !== undefined && { connectMs: faults.integer(`${at}.connectMs`, connectMs, 0) }),
  };
}

function decodeRetry(at: string, message: RetryPolicy__Output, faults: Faults): RetryPolicy {
  const { budget, perTryTimeoutMs } = message;
  if (budget === null) faults.add(`${at}.budget`, "is required");
  return {
    maxAttempts: faults.integer(`${at}.maxAttempts`, message.maxAttempts, 1),
    initialDelayMs: faults.integer(`${at}.initialDelayMs`, message.initialDelayMs, 0),
    backoffMultiplier: faults.number(`${at}.backoffMultiplier`, message.backoffMultiplier, 1),
    maxDelayMs: faults.integer(`${at}.maxDelayMs`, message.maxDelayMs, 0),
    jitter: faults.number(`${at}.jitter`, message.jitter, 0, 1),
    ...(perTryTimeoutMs !== undefined && {
      perTryTimeoutMs: faults.integer(`${at}.perTryTimeoutMs`, perTryTimeoutMs, 0),
    }),
    retryOn: message.retryOn.map((word, i) => faults.word(`${at}.retryOn[${i}]`, retryConditions, word)),
    budget: {
      percent: faults.number(`${at}.budget.percent`, budget?.percent ?? 0, 0),
      windowMs: faults.integer(`${at}.budget.windowMs`, budget?.windowMs ?? 0, 0),
      minRetriesPerSecond: faults.number(`${at}.budget.minRetriesPerSecond`, budget?.minRetriesPerSecond ?? 0, 0),
    },
    retryNonIdempotent: message.retryNonIdempotent,
  };
}

function decodeBreaker(at: string, message: CircuitBreakerPolicy__Output, faults: Faults): CircuitBreakerPolicy {
  const { maxOpenDurationMs, maxRequests, maxConnections, maxPendingRequests } = message;
  const limit = (field: string, value: number): number => faults.integer(`${at}.${field}`, value, 0);
  return {
    scope: faults.word(`${at}.scope`, breakerScopes, message.scope),
    failureThreshold: faults.integer(`${at}.failureThreshold`, message.failureThreshold, 1),
    failureWindowMs: limit("failureWindowMs", message.failureWindowMs),
    count: faults.word(`${at}.count`, failureCounts, message.count),
    openDurationMs: limit("openDurationMs", message.openDurationMs),
    ...(maxOpenDurationMs !== undefined && { maxOpenDurationMs: limit("maxOpenDurationMs", maxOpenDurationMs) }),
    successThreshold: faults.integer(`${at}.successThreshold`, message.successThreshold, 1),
    maxOpenPercent: faults.number(`${at}.maxOpenPercent`, message.maxOpenPercent, 0, 100),
    failures: message.failures.map((word, i) => faults.word(`${at}.failures[${i}]`, failureKinds, word)),
    ...(maxRequests !== undefined && { maxRequests: limit("maxRequests", maxRequests) }),
    ...(maxConnections !== undefined && { maxConnections: limit("maxConnections", maxConnections) }),
    ...(maxPendingRequests !== undefined && { maxPendingRequests: limit("maxPendingRequests", maxPendingRequests) }),
  };
}
