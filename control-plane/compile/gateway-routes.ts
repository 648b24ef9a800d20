/** Compiles the HTTPRoutes and GRPCRoutes of one Service port into its route table. */

import { defaultRetryPolicy, withoutTimeoutPolicy } from "../../model/defaults.ts";
import { orderMatches } from "../../model/gateway-order.ts";
import {
  type GatewayRoute,
  mergeRetry,
  mergeTimeouts,
  type RouteBackend,
  type RouteRule,
} from "../../model/gateway-route.ts";
import type { RetryPolicy } from "../../model/policy.ts";
import type { Route, RouteMirror, WeightedBackend } from "../../model/resources.ts";
import type { IndexView } from "../index/facts.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { resolveBackend } from "./backend.ts";
import { type MeshNames, servicePortName } from "./names.ts";

/** The Service port that the routes are for. */
interface Frontend {
  readonly view: IndexView;
  readonly service: Service;
  readonly port: ServicePort;
  readonly names: MeshNames;
}

/**
 * One route per match, in the order of trial; matches of one rule share its name. If none matches, there is no route: a
 * Service's default behaviour is replaced, not extended.
 */
export function compileGatewayRoutes(frontend: Frontend, routes: readonly GatewayRoute[]): Route[] {
  const compiled = new Map<RouteRule, Omit<Route, "matches">>();
  return orderMatches(routes).map(({ route, rule, ruleIndex, match }): Route => {
    const made = compiled.get(rule) ?? compileRule(frontend, route, rule, ruleIndex);
    compiled.set(rule, made);
    return { ...made, matches: Object.keys(match).length === 0 ? [] : [match] };
  });
}

/** Named `HTTPRoute shop/orders rule 0`, or with the rule's name instead of its index. */
function compileRule(
  frontend: Frontend,
  route: GatewayRoute,
  rule: RouteRule,
  ruleIndex: number,
): Omit<Route, "matches"> {
  const mirrors = rule.mirrors.flatMap((mirror) => compileMirror(frontend, route, mirror) ?? []);
  return {
    name: `${route.kind} ${route.namespace}/${route.name} rule ${rule.name ?? ruleIndex}`,
    backends: compileBackends(frontend, route, rule),
    ...compilePolicies(frontend, route, rule),
    ...(rule.filters.length > 0 && { filters: rule.filters }),
    ...(mirrors.length > 0 && { mirrors }),
  };
}

/**
 * The policies of the rule, else of the route, else of the dialled Service port; the rule's own fields override them one by
 * one.
 */
function compilePolicies(
  { view, service, port }: Frontend,
  route: GatewayRoute,
  rule: RouteRule,
): Pick<Route, "fault" | "retry" | "timeout" | "samplingRatio" | "accessLog"> {
  const retryPolicy =
    view.routePolicyFor("RetryPolicy", route, rule.name) ?? view.policyFor("RetryPolicy", service, port);
  const timeoutPolicy =
    view.routePolicyFor("TimeoutPolicy", route, rule.name) ?? view.policyFor("TimeoutPolicy", service, port);
  const fault =
    view.routePolicyFor("FaultInjection", route, rule.name) ?? view.policyFor("FaultInjection", service, port);
  const retry = compileRetry(rule, retryPolicy?.spec);
  return {
    ...(retry !== undefined && { retry }),
    timeout: mergeTimeouts(rule.timeouts, timeoutPolicy?.spec ?? withoutTimeoutPolicy),
    ...(fault !== undefined && { fault: fault.spec }),
    // The TelemetryPolicy of the dialled Service port is in the Destination.
    ...view.routePolicyFor("TelemetryPolicy", route, rule.name)?.spec,
  };
}

function compileRetry({ retry, timeouts }: RouteRule, policy: RetryPolicy | undefined): RetryPolicy | undefined {
  const merged = retry === undefined ? policy : mergeRetry(retry, policy ?? defaultRetryPolicy);
  if (merged === undefined || timeouts.backendRequestMs === undefined) return merged;
  // The rule sets the time of a try itself, even if to `0s`.
  const { perTryTimeoutMs: _, ...rest } = merged;
  return rest;
}

/** A redirect needs no backend; a rule with neither a redirect nor a backend answers 500. */
function compileBackends(frontend: Frontend, route: GatewayRoute, rule: RouteRule): WeightedBackend[] {
  if (rule.filters.some(({ kind }) => kind === "redirect")) return [];
  if (rule.backends.length > 0) return rule.backends.map((backend) => compileBackend(frontend, route, backend));
  const { service, port, names } = frontend;
  const { namespace, name } = service;
  const endpoints = servicePortName(service, port.port, names);
  return [{ endpoints, service: { namespace, name }, weight: 1, invalid: "the rule names no backend" }];
}

/** A backend that can't be used keeps its share, and requests to it get 500: they must not flow to the others. */
function compileBackend(frontend: Frontend, route: GatewayRoute, { backend, weight, filters }: RouteBackend) {
  const edits = filters.length > 0 && { filters };
  if (backend.kind === "unsupported") {
    const service = { namespace: route.namespace, name: backend.what };
    return { endpoints: backend.what, service, weight, ...edits, invalid: `${backend.what} is no Service` };
  }
  const { namespace = route.namespace, name, port } = backend;
  const service = { namespace, name };
  const endpoints = servicePortName(service, port, frontend.names);
  const resolved = resolve(frontend, route, backend);
  if (resolved.ok) return { endpoints, service, weight, ...edits };
  const permitted = resolved.error.reason !== "RefNotPermitted";
  const invalid = `Service ${namespace}/${name} port ${port} ${permitted ? "is not there" : "needs a ReferenceGrant"}`;
  return { endpoints, service, weight, ...edits, invalid };
}

/** A mirror that can't be resolved is left out: nobody waits for it. */
function compileMirror(
  frontend: Frontend,
  route: GatewayRoute,
  { backend, percent }: RouteRule["mirrors"][number],
): RouteMirror | undefined {
  if (backend.kind === "unsupported" || !resolve(frontend, route, backend).ok) return undefined;
  const service = { namespace: backend.namespace ?? route.namespace, name: backend.name };
  return { endpoints: servicePortName(service, backend.port, frontend.names), service, percent };
}

function resolve(
  { view, service: { namespace, name }, port }: Frontend,
  route: GatewayRoute,
  to: { readonly namespace?: string; readonly name: string; readonly port: number },
) {
  const reference = { ...(to.namespace !== undefined && { namespace: to.namespace }), service: to.name, port: to.port };
  return resolveBackend(view, route, reference, { namespace, name, port: port.port });
}
