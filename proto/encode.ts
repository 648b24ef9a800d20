/** Encodes the model as messages. The control plane's output is encoded as it is: the decoder validates. */

import type { CircuitBreakerPolicy, FaultPolicy, RetryPolicy } from "../model/policy.ts";
import type { Endpoint, HeaderEdits, Resource, ResourceKind, Route, RouteFilter } from "../model/resources.ts";
import { assertNever } from "../model/result.ts";
import { encodeAccessLog, encodeInbound } from "./encode-inbound.ts";
import { encodeRouteMatch } from "./encode-match.ts";
import {
  answerStores,
  breakerScopes,
  endpointStates,
  failureCounts,
  failureKinds,
  protocols,
  resourceKinds,
  retryConditions,
  stickyBys,
} from "./enums.ts";
import type { CircuitBreakerPolicy as CircuitBreakerMessage } from "./generated/tulle/v1/CircuitBreakerPolicy.ts";
import type { Endpoint as EndpointMessage } from "./generated/tulle/v1/Endpoint.ts";
import type { FaultPolicy as FaultMessage } from "./generated/tulle/v1/FaultPolicy.ts";
import type { HeaderEdits as HeaderEditsMessage } from "./generated/tulle/v1/HeaderEdits.ts";
import type { Resource as ResourceMessage } from "./generated/tulle/v1/Resource.ts";
import type { ResourceName as ResourceNameMessage } from "./generated/tulle/v1/ResourceName.ts";
import type { RetryPolicy as RetryMessage } from "./generated/tulle/v1/RetryPolicy.ts";
import type { Route as RouteMessage } from "./generated/tulle/v1/Route.ts";
import type { RouteFilter as RouteFilterMessage } from "./generated/tulle/v1/RouteFilter.ts";
import type { Update } from "./generated/tulle/v1/Update.ts";
import { encodeMessage } from "./wire.ts";

/** In the wire format. Buffers of several updates, concatenated, are one update. */
export function encodeUpdate(update: Update): Buffer {
  return encodeMessage("Update", update);
}

export function encodeName(kind: ResourceKind, name: string): ResourceNameMessage {
  return { kind: resourceKinds[kind], name };
}

export function encodeResource(resource: Resource, version: string): ResourceMessage {
  const { name } = resource.value;
  switch (resource.kind) {
    case "inbound":
      return { name, version, inbound: encodeInbound(resource.value) };
    case "destination": {
      const { service, protocol, routes, consumers = [], samplingRatio, accessLog } = resource.value;
      return {
        name,
        version,
        destination: {
          service,
          protocol: protocols[protocol],
          routes: routes.map(encodeRoute),
          consumers: consumers.map(({ namespace, routes }) => ({ namespace, routes: routes.map(encodeRoute) })),
          ...(samplingRatio !== undefined && { samplingRatio }),
          ...encodeAccessLog(accessLog),
        },
      };
    }
    case "endpoints": {
      const { service, protocol, breaker, idempotency, warmUpMs, nodeLocal, affinityMs, endpoints } = resource.value;
      return {
        name,
        version,
        endpoints: {
          service,
          protocol: protocols[protocol],
          ...(breaker && { breaker: encodeBreaker(breaker) }),
          ...(idempotency && {
            idempotency: { methods: [...idempotency.methods], store: answerStores[idempotency.store] },
          }),
          ...(warmUpMs !== undefined && { warmUpMs }),
          ...(nodeLocal && { nodeLocal }),
          ...(affinityMs !== undefined && { affinityMs }),
          endpoints: endpoints.map(encodeEndpoint),
        },
      };
    }
    default:
      return assertNever(resource);
  }
}

function encodeEndpoint({ forZones = [], forNodes = [], ...endpoint }: Endpoint): EndpointMessage {
  const state = endpointStates[endpoint.state];
  return { ...endpoint, state, forZones: [...forZones], forNodes: [...forNodes] };
}

function encodeRoute(route: Route): RouteMessage {
  return {
    name: route.name,
    matches: route.matches.map(encodeRouteMatch),
    backends: route.backends.map(({ filters = [], ...backend }) => ({
      ...backend,
      filters: filters.map(encodeFilter),
    })),
    ...(route.retry && { retry: encodeRetry(route.retry) }),
    timeout: route.timeout,
    filters: route.filters?.map(encodeFilter) ?? [],
    mirrors: [...(route.mirrors ?? [])],
    ...(route.fault && { fault: encodeFault(route.fault) }),
    ...(route.samplingRatio !== undefined && { samplingRatio: route.samplingRatio }),
    ...encodeAccessLog(route.accessLog),
    ...(route.sticky && { sticky: { by: stickyBys[route.sticky.by], name: route.sticky.name } }),
  };
}

function encodeFault({ untilUnixMs, matches, delay, abort }: FaultPolicy): FaultMessage {
  return {
    untilUnixMs,
    matches: matches.map(encodeRouteMatch),
    ...(delay && { delay }),
    ...(abort && { abort: { [abort.kind]: abort.status, percent: abort.percent } }),
  };
}

function encodeFilter(filter: RouteFilter): RouteFilterMessage {
  switch (filter.kind) {
    case "request-headers":
      return { requestHeaders: encodeEdits(filter) };
    case "response-headers":
      return { responseHeaders: encodeEdits(filter) };
    case "redirect": {
      const { kind: _, path, ...redirect } = filter;
      return { redirect: { ...redirect, ...(path && { path: { [path.kind]: path.value } }) } };
    }
    case "rewrite": {
      const { hostname, path } = filter;
      return {
        rewrite: { ...(hostname !== undefined && { hostname }), ...(path && { path: { [path.kind]: path.value } }) },
      };
    }
    case "unsupported":
      return { unsupported: filter.type };
    default:
      return assertNever(filter);
  }
}

function encodeEdits({ set, add, remove }: HeaderEdits): HeaderEditsMessage {
  const field = ([name, value]: readonly [string, string]) => ({ name, value });
  return { set: set.map(field), add: add.map(field), remove: [...remove] };
}

function encodeRetry(policy: RetryPolicy): RetryMessage {
  return { ...policy, retryOn: policy.retryOn.map((condition) => retryConditions[condition]) };
}

function encodeBreaker(policy: CircuitBreakerPolicy): CircuitBreakerMessage {
  return {
    ...policy,
    scope: breakerScopes[policy.scope],
    count: failureCounts[policy.count],
    failures: policy.failures.map((kind) => failureKinds[kind]),
  };
}
