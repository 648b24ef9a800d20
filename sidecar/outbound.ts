/**
 * The way of a request from the application to an endpoint: the layers in the order in which it meets them.
 * This file composes; each layer's reasons are in its own.
 */

import type { Clock, Random } from "../model/clock.ts";
import type { AccessLog, RetryBudgetPolicy } from "../model/policy.ts";
import type { Destination, Route } from "../model/resources.ts";
import type { RetryBudget } from "../model/retry-budget.ts";
import type { Log } from "../system/log.ts";
import { type RequestTaps, showRequests } from "./debug/request-taps.ts";
import { type Exchange, type Service, stack } from "./net/exchange.ts";
import type { TimerWheel } from "./net/timer-wheel.ts";
import { type CallsInFlight, continueCall } from "./policy/calls-in-flight.ts";
import { injectFaults } from "./policy/inject-faults.ts";
import { limitTime, limitTry } from "./policy/limit-time.ts";
import { takeOwnFields } from "./policy/own-fields.ts";
import { retry } from "./policy/retry.ts";
import { filterRequests } from "./route/filters.ts";
import { type MirrorLimit, mirror } from "./route/mirror.ts";
import { matchRoutes, routeRequests } from "./route/route-requests.ts";
import { split } from "./route/split.ts";
import { logAccess } from "./telemetry/access-log.ts";
import { CountedTries } from "./telemetry/count-tries.ts";
import { countLostCalls, countMirrors, countRetries, countSplit } from "./telemetry/counts.ts";
import { recordErrors } from "./telemetry/error-spans.ts";
import { loggedByRoute } from "./telemetry/logged-requests.ts";
import { measureAndRescue } from "./telemetry/measure.ts";
import type { SidecarMetrics } from "./telemetry/metrics.ts";
import { type Tracer, traceRequest, traceTry } from "./telemetry/trace.ts";

/** What all stacks of a sidecar share. */
export interface Shared {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  /** Milliseconds since 1970. */
  readonly unixNow: () => number;
  readonly metrics: SidecarMetrics;
  readonly tracer: Tracer;
  /** Where no policy says otherwise. */
  readonly accessLog: AccessLog;
  /** Who looks on. */
  readonly taps: RequestTaps;
  readonly log: Log;
}

export interface OutboundOptions extends Shared {
  /** `namespace/workload` of this pod. */
  readonly workload: string;
  /** The balancer of a backend by the name of its `Endpoints`. */
  readonly backend: (endpoints: string) => Service;
  /** Whether it was asked for an `Idempotency-Key` lately. */
  readonly remembers: (endpoints: string, key: string) => boolean;
  /** The budget of a destination under a policy: shared by all its routes and requests, kept over updates. */
  readonly retryBudget: (destination: string, policy: RetryBudgetPolicy | undefined) => RetryBudget;
  readonly mirrorLimit: MirrorLimit;
  /** What the application of this pod is serving. */
  readonly calls: CallsInFlight;
  /** Of the destination as it is in force; undefined: nobody gave it one. */
  readonly policyVersion: string | undefined;
}

/** The stack of one destination. It is composed anew with each update; what must outlive updates lies below, in `backend`. */
export function outboundStack(destination: Destination, options: OutboundOptions): Service {
  const { clock, metrics, tracer, accessLog, policyVersion } = options;
  const ratioOf = ratioBy(destination);
  const service = `${destination.service.namespace}/${destination.service.name}`;
  const traced = { kind: "client", tracer, service, policyVersion: () => policyVersion } as const;
  return stack(
    [
      // Outermost, so that what is logged, traced and counted is what the application gets.
      logAccess({ ...options, logged: loggedByRoute(accessLog, destination), direction: "outbound", service }),
      showRequests({ ...options, direction: "outbound", service }),
      traceRequest({ ...traced, ...(ratioOf && { ratioOf }) }),
      // Whatever fails below becomes an answer that says why.
      measureAndRescue({ metrics, clock, direction: "outbound", service, recordError: recordErrors(traced) }),
      // Nothing that the application set may pass for the mesh's own word; its deadline may shorten ours.
      takeOwnFields(clock),
      // What holds for the request that the application is serving holds for this one, its part.
      continueCall(options.calls, countLostCalls(metrics, service)),
    ],
    routeRequests(destination.routes, (route) => routeStack(route, destination.name, service, options)),
  );
}

/** The share of traces that policies ask for: a route's, else the destination's. Undefined: none does. */
function ratioBy({ routes, samplingRatio }: Destination): ((exchange: Exchange) => number | undefined) | undefined {
  if (routes.every((route) => route.samplingRatio === undefined)) {
    return samplingRatio === undefined ? undefined : () => samplingRatio;
  }
  // A trace begins before its request has a route, so that is looked up twice where it matters.
  const match = matchRoutes(routes);
  return (exchange) => match(exchange)?.samplingRatio ?? samplingRatio;
}

function routeStack(route: Route, destination: string, service: string, options: OutboundOptions): Service {
  const { clock, wheel, random, unixNow, metrics, tracer, backend, remembers, retryBudget } = options;
  const budget = retryBudget(destination, route.retry?.budget);
  const limit = options.mirrorLimit;
  const counts = countRetries(metrics, service);
  const tries = new CountedTries(metrics, service);
  return stack(
    [
      // What the route makes of the request, once for all tries; a redirect ends here.
      filterRequests(route),
      // All tries together, and no silence in them.
      limitTime(route.timeout, options),
      // Copies of what goes out in time, once for all tries too.
      mirror(route, { backend, random, wheel, limit, count: countMirrors(metrics, service) }),
      // Above the split and the balancer: the next try may land elsewhere.
      retry({ policy: route.retry, budget, wheel, clock, random, unixNow, counts, tries }),
      traceTry(tracer),
      // One try, its connection included.
      limitTry(route.timeout.perTryMs ?? route.retry?.perTryTimeoutMs, wheel),
      // In each try, so that retries and timeouts meet a fault made on purpose as they meet any other.
      injectFaults(route.fault, options),
    ],
    // The backend by weight; below it the endpoint by load, its breaker, and the link to its pod.
    split(route, { backend, remembers, random, count: countSplit(metrics, service) }),
  );
}
