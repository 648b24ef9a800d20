/**
 * A request's way from the application to an endpoint: the layers, in the order in which it passes them.
 * This file only composes; why each layer does what it does is in its own file.
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

/** What all stacks of a sidecar have in common. */
export interface Shared {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  /** Milliseconds since 1970. */
  readonly unixNow: () => number;
  readonly metrics: SidecarMetrics;
  readonly tracer: Tracer;
  /** Applies unless a policy says otherwise. */
  readonly accessLog: AccessLog;
  /** The readers of live requests (`tulle tap`). */
  readonly taps: RequestTaps;
  readonly log: Log;
}

export interface OutboundOptions extends Shared {
  /** `namespace/workload` of this pod. */
  readonly workload: string;
  /** Returns the balancer of a backend, given the name of its `Endpoints`. */
  readonly backend: (endpoints: string) => Service;
  /** Whether that backend was recently sent a request with this `Idempotency-Key`. */
  readonly remembers: (endpoints: string, key: string) => boolean;
  /** The retry budget of a destination under a policy: shared by all its routes and requests, and kept across updates. */
  readonly retryBudget: (destination: string, policy: RetryBudgetPolicy | undefined) => RetryBudget;
  readonly mirrorLimit: MirrorLimit;
  /** The requests that this pod's application is serving. */
  readonly calls: CallsInFlight;
  /** The version of the destination in force; undefined: it has none. */
  readonly policyVersion: string | undefined;
}

/** The stack of one destination, composed again at each update. What must survive updates is below it, in `backend`. */
export function outboundStack(destination: Destination, options: OutboundOptions): Service {
  const { clock, metrics, tracer, accessLog, policyVersion } = options;
  const ratioOf = ratioBy(destination);
  const service = `${destination.service.namespace}/${destination.service.name}`;
  const traced = { kind: "client", tracer, service, policyVersion: () => policyVersion } as const;
  return stack(
    [
      // Outermost, so that what is logged, traced and counted is what the application receives.
      logAccess({ ...options, logged: loggedByRoute(accessLog, destination), direction: "outbound", service }),
      showRequests({ ...options, direction: "outbound", service }),
      traceRequest({ ...traced, ...(ratioOf && { ratioOf }) }),
      // Turns any failure below into a response that says why.
      measureAndRescue({ metrics, clock, direction: "outbound", service, recordError: recordErrors(traced) }),
      // The application's fields must not pass for the mesh's own; but its deadline may shorten ours.
      takeOwnFields(clock),
      // This request inherits deadline and attempt from the request that the application is serving by making it.
      continueCall(options.calls, countLostCalls(metrics, service)),
    ],
    routeRequests(destination.routes, (route) => routeStack(route, destination.name, service, options)),
  );
}

/** The share of traces to record by policy: the route's, else the destination's. Undefined: no policy says. */
function ratioBy({ routes, samplingRatio }: Destination): ((exchange: Exchange) => number | undefined) | undefined {
  if (routes.every((route) => route.samplingRatio === undefined)) {
    return samplingRatio === undefined ? undefined : () => samplingRatio;
  }
  // A trace begins before its request has a route, so where routes differ the route is looked up twice.
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
      // The route's edits, once for all tries; a redirect ends here.
      filterRequests(route),
      // The limit on all tries together, and on silence.
      limitTime(route.timeout, options),
      // Copies of requests that are still in time, also once for all tries.
      mirror(route, { backend, random, wheel, limit, count: countMirrors(metrics, service) }),
      // Above the split and the balancer, so that the next try may go elsewhere.
      retry({ policy: route.retry, budget, wheel, clock, random, unixNow, counts, tries }),
      traceTry(tracer),
      // The limit on one try, including its connection.
      limitTry(route.timeout.perTryMs ?? route.retry?.perTryTimeoutMs, wheel),
      // Within each try, so that retries and timeouts treat an injected fault like any other.
      injectFaults(route.fault, options),
    ],
    // Chooses the backend by weight; below it come the endpoint by load, its breaker, and the link to its pod.
    split(route, { backend, remembers, random, count: countSplit(metrics, service) }),
  );
}
