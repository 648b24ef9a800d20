/**
 * What becomes of each HTTPRoute and GRPCRoute, for each Service that is its parent, as its author would see it
 * (https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus). Parents of other kinds are for other controllers to report
 * on.
 *
 *   Accepted          it is valid, its parent exists, and no route of a more special kind has taken that
 *   ResolvedRefs      the Services that it leads to exist and may be used
 *   PartiallyInvalid  only where true: some rules answer 500, for a filter that the mesh does not have
 *   Programmed        the sidecars that hold a resource it is part of have confirmed it
 */

import type { BackendRef, GatewayRoute, RouteParent } from "../../model/gateway-route.ts";
import type { FieldError } from "../../model/result.ts";
import { type Dialled, othersIn, resolveBackend } from "../compile/backend.ts";
import { claimsOn, mayCarryHttp } from "../compile/claims.ts";
import type { ResourcesWith } from "../compile/compiler.ts";
import { type ClusterIndex, fieldProblem, type HeldRoute } from "../index/cluster-index.ts";
import { policyName } from "../index/facts.ts";
import { isServiceParent, namesPort } from "../index/gateway-routes.ts";
import type { Service, ServicePort } from "../index/service.ts";
import type { Problem } from "../source/problem.ts";
import { type Condition, oneLine, refused, resolvedRefs, type UnresolvedRef } from "./condition.ts";
import { type ObjectStatus, objectStatus } from "./object-status.ts";
import type { Acknowledgements } from "./policy-status.ts";
import { describeProgrammed } from "./programmed.ts";

/** Identifies the reporter in Gateway API's `controllerName`. */
export const controllerName = "tulle.dev/controller";

export interface RouteStatus extends ObjectStatus {
  /** One for each parent of kind Service. Empty: the route was never valid. */
  readonly parents: readonly ParentStatus[];
}

export interface ParentStatus {
  readonly parentRef: RouteParent;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

/** Sorted by kind, namespace and name. */
export function routeStatuses(
  index: ClusterIndex,
  resourcesWith: ResourcesWith,
  acknowledgements: Acknowledgements,
): RouteStatus[] {
  return index.routes().map((held) => {
    const { kind, metadata } = held.object;
    const carriers = resourcesWith(policyName({ kind, ...metadata }));
    const acks = carriers.flatMap((carrier) => acknowledgements(carrier) ?? []);
    const programmed = describeProgrammed(acks, { version: held.version });
    const { parents, problems } = judge(index, held, programmed);
    return { ...objectStatus(held.object, problems), parents };
  });
}

function judge(
  index: ClusterIndex,
  { object, route, errors }: HeldRoute,
  programmed: Condition,
): Pick<RouteStatus, "parents" | "problems"> {
  const problem = (error: FieldError) => fieldProblem(object, error);
  const parents = (route?.parents ?? []).flatMap((parent, at) => (parent.kind === "Service" ? [{ parent, at }] : []));
  if (route === undefined || errors.length > 0) {
    const message = `${errors.map(oneLine).join("; ")} (what it said before stays in force)`;
    const conditions = [refused("Accepted", "Invalid", message)];
    return {
      parents: parents.map(({ parent }) => ({ parentRef: parent, controllerName, conditions })),
      problems: errors.map(problem),
    };
  }
  const unknown = unknownFilters(route);
  const noEffect = warnings(route);
  const judged = parents.map(({ parent, at }) => ({ parent, ...judgeParent(index, route, parent, at) }));
  const faults = judged.flatMap(({ fault, unresolved }): FieldError[] => [...(fault ? [fault] : []), ...unresolved]);
  return {
    parents: judged.map(({ parent, fault, unresolved }) => ({
      parentRef: parent,
      controllerName,
      conditions: [
        accepted(fault, noEffect),
        resolvedRefs(unresolved),
        ...partiallyInvalid(unknown),
        fault?.extent === "parent" ? refused("Programmed", "NotInForce", "") : programmed,
      ],
    })),
    problems: [...[...faults, ...unknown].map(problem), ...noEffect.map((w) => warning(problem(w)))],
  };
}

interface ParentFault extends FieldError {
  readonly reason: "NoMatchingParent" | "Conflicted";
  /** The route applies to nothing of the parent, or only to part of its ports. */
  readonly extent: "parent" | "part";
}

interface ParentJudgement {
  readonly fault: ParentFault | undefined;
  readonly unresolved: readonly UnresolvedRef[];
}

function judgeParent(index: ClusterIndex, route: GatewayRoute, parent: RouteParent, at: number): ParentJudgement {
  const path = `spec.parentRefs[${at}]`;
  const nowhere = (field: string, message: string): ParentJudgement => {
    const fault = { path: `${path}.${field}`, message, reason: "NoMatchingParent", extent: "parent" } as const;
    return { fault, unresolved: [] };
  };
  if (!isServiceParent(parent))
    return nowhere("group", `must be "" for a Service, got ${JSON.stringify(parent.group)}`);
  const namespace = parent.namespace ?? route.namespace;
  const service = index.service(namespace, parent.name);
  if (service === undefined || service.type === "ExternalName") {
    const others = othersIn(index, namespace);
    return nowhere("name", `must be a Service in namespace ${namespace}, got ${JSON.stringify(parent.name)}${others}`);
  }
  const ports = service.ports.filter((port) => namesPort(parent, port));
  if (ports.length === 0) {
    const field = parent.port === undefined ? "sectionName" : "port";
    const known = service.ports.map(({ port, name }) => (name === undefined ? port : `${port} ${name}`)).join(", ");
    return nowhere(field, `must be a port of Service ${service.name} (${known}), got ${parent[field]}`);
  }
  if (!ports.some((port) => mayCarryHttp(index, service, port)))
    return nowhere("name", `Service ${namespace}/${service.name} carries no HTTP there`);
  const dialled = ports.map(({ port }) => ({ namespace, name: service.name, port }));
  return { fault: conflict(index, route, service, ports, path), unresolved: findUnresolved(index, route, dialled) };
}

function conflict(
  index: ClusterIndex,
  route: GatewayRoute,
  service: Service,
  ports: readonly ServicePort[],
  path: string,
): ParentFault | undefined {
  const lost = ports.flatMap((port) => {
    const claim = claimsOn(index, service, port).find(({ namespace }) => namespace === route.namespace);
    if (claim === undefined || claim.routes.includes(route)) return [];
    return [`port ${port.port} is claimed by ${claim.routes.map(policyName).join(", ")}, and gRPC goes first`];
  });
  if (lost.length === 0) return undefined;
  const extent = lost.length === ports.filter((port) => mayCarryHttp(index, service, port)).length ? "parent" : "part";
  return { path, message: lost.join("; "), reason: "Conflicted", extent };
}

/** References that can't be resolved from one of the ports, each once. */
function findUnresolved(index: ClusterIndex, route: GatewayRoute, dialled: readonly Dialled[]): UnresolvedRef[] {
  return referencesOf(route).flatMap(([path, ref]): UnresolvedRef[] => {
    if (ref.kind === "unsupported")
      return [{ path: `${path}.kind`, reason: "InvalidKind", message: `must be a Service, got ${ref.what}` }];
    const { namespace, name, port } = ref;
    for (const from of dialled) {
      const resolved = resolveBackend(index, route, { ...(namespace && { namespace }), service: name, port }, from);
      if (resolved.ok) continue;
      const { reason, field, message } = resolved.error;
      return [{ path: `${path}.${field === "service" ? "name" : field}`, reason, message }];
    }
    return [];
  });
}

function referencesOf({ rules }: GatewayRoute): (readonly [path: string, ref: BackendRef])[] {
  return rules.flatMap(({ backends, mirrors }, rule) => [
    ...backends.map(({ backend }, at) => [`spec.rules[${rule}].backendRefs[${at}]`, backend] as const),
    ...mirrors.map(({ backend }) => [`spec.rules[${rule}].filters`, backend] as const),
  ]);
}

function unknownFilters({ rules }: GatewayRoute): FieldError[] {
  return rules.flatMap(({ filters, backends }, rule) => {
    const found = [
      ...filters.map((filter) => ({ at: `spec.rules[${rule}].filters`, filter })),
      ...backends.flatMap(({ filters }, backend) =>
        filters.map((filter) => ({ at: `spec.rules[${rule}].backendRefs[${backend}].filters`, filter })),
      ),
    ];
    return found.flatMap(({ at, filter }) => {
      if (filter.kind !== "unsupported") return [];
      return [{ path: at, message: `the mesh has no filter ${filter.type} here: requests get 500` }];
    });
  });
}

/** What is accepted but has no effect. */
function warnings({ hostnames, rules }: GatewayRoute): FieldError[] {
  const noHosts = {
    path: "spec.hostnames",
    message: "has no effect where the parent is a Service; match the header Host",
  };
  const unapplied = rules.flatMap(({ unapplied = [] }, rule) =>
    unapplied.map((field) => ({ path: `spec.rules[${rule}].${field}`, message: "has no effect in this version" })),
  );
  return [...(hostnames.length > 0 ? [noHosts] : []), ...unapplied];
}

function warning(problem: Problem): Problem {
  return { ...problem, severity: "warning" };
}

function accepted(fault: ParentFault | undefined, noEffect: readonly FieldError[]): Condition {
  if (fault?.extent === "parent") return refused("Accepted", fault.reason, oneLine(fault));
  const message = [...(fault ? [fault] : []), ...noEffect].map(oneLine).join("; ");
  return { type: "Accepted", status: "True", reason: "Accepted", message };
}

function partiallyInvalid(unknown: readonly FieldError[]): Condition[] {
  if (unknown.length === 0) return [];
  const message = unknown.map(oneLine).join("; ");
  return [{ type: "PartiallyInvalid", status: "True", reason: "UnsupportedValue", message }];
}
