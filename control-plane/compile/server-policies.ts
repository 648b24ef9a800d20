/**
 * The server's policies that apply to a port of a workload: those attached to a Service that selects its pods, at the ports
 * behind that Service, and the defaults of its namespace and of the mesh; narrowed by the policy's labels and ports.
 */

import type { ServerScope } from "../../model/policy.ts";
import type { PolicyKind } from "../../model/policy-object.ts";
import { type IndexView, meshNamespace, type PolicyOf } from "../index/facts.ts";
import { selects, type Workload } from "../index/pod.ts";
import { compareNames, isPort, scopeOf } from "../index/policy-table.ts";
import { servicesSelecting } from "../index/selecting.ts";
import type { Service, ServicePort } from "../index/service.ts";
import { targetPort } from "./target-port.ts";

/** The kinds whose policies add up: every one that selects a port applies to it. */
export type AddingKind = "AccessPolicy" | "RateLimit";

const addingKinds: readonly AddingKind[] = ["AccessPolicy", "RateLimit"];

/** The kinds that the server's own sidecar enforces. */
type ServerKind = AddingKind | "IdempotencyPolicy";

const serverKinds: readonly ServerKind[] = [...addingKinds, "IdempotencyPolicy"];

/** A workload, or one of its pods. */
export type Server = Pick<Workload, "namespace" | "labels" | "ports" | "opaquePorts">;

export function addsUp(kind: PolicyKind): boolean {
  return addingKinds.some((adding) => adding === kind);
}

/** Sorted by namespace and name. `port` is a container port; undefined: any port that nothing names. */
export function serverPolicies<K extends AddingKind>(
  view: IndexView,
  kind: K,
  server: Server,
  port: number | undefined,
): PolicyOf<K>[] {
  const { namespace } = server;
  const inScope = ({ spec }: PolicyOf<AddingKind>) => holdsFor(spec, server, port);
  const found = new Set<PolicyOf<AddingKind>>();
  for (const place of new Set([meshNamespace, namespace]))
    for (const policy of view.policiesAt<AddingKind>(kind, place, undefined, inScope)) found.add(policy);
  for (const { service, behind } of leadingTo(
    port,
    server,
    servicesSelecting(view.servicesIn(namespace), server.labels),
  )) {
    const attached = view.policiesAt<AddingKind>(kind, namespace, service.name, (policy, section) => {
      const isNamed = section === undefined || behind.some((servicePort) => isPort(section, servicePort));
      return isNamed && inScope(policy);
    });
    for (const policy of attached) found.add(policy);
  }
  // Everything attached as a kind is of that kind.
  return [...found].sort(compareNames) as PolicyOf<K>[];
}

/** The kinds of which only one policy applies to a port. */
export type SingleKind = "IdempotencyPolicy" | "TelemetryPolicy";

/**
 * The policy of a kind that applies to a port: that of a Service's port, else of a Service, else of the namespace, else of the
 * mesh. On one level the first wins; policies whose scope excludes this port do not count.
 */
export function serverPolicy<K extends SingleKind>(
  view: IndexView,
  kind: K,
  server: Server,
  port: number | undefined,
): PolicyOf<K> | undefined {
  const { namespace } = server;
  const inScope = (policy: PolicyOf<K>) => holdsFor(scopeOf(policy), server, port);
  const targets = view.targetsIn(kind, namespace);
  const known = targets.flatMap((name) => view.service(namespace, name) ?? []);
  const selecting = known.filter(({ selector }) => selects(selector, server.labels));
  const services = leadingTo(port, server, selecting);
  for (const ofPort of [true, false]) {
    for (const { service, behind } of services) {
      const attached = firstAt(view, kind, namespace, service.name, (policy, section) => {
        const isNamed = section !== undefined && behind.some((servicePort) => isPort(section, servicePort));
        return (ofPort ? isNamed : section === undefined) && inScope(policy);
      });
      if (attached !== undefined) return attached;
    }
  }
  return firstAt(view, kind, namespace, undefined, inScope) ?? firstAt(view, kind, meshNamespace, undefined, inScope);
}

/** Asks only for the first: the others are not in force, and must not be recorded as if they were. */
function firstAt<K extends SingleKind>(
  view: IndexView,
  kind: K,
  namespace: string,
  service: string | undefined,
  holds: (policy: PolicyOf<K>, section: string | undefined) => boolean,
): PolicyOf<K> | undefined {
  let found = false;
  const first = view.policiesAt(kind, namespace, service, (policy, section) => {
    if (found || !holds(policy, section)) return false;
    found = true;
    return true;
  });
  return first[0];
}

/**
 * Of the Services that select a server, those that point to this port, each with the ports that do. No Service points to a port
 * that nothing names.
 */
function leadingTo(
  port: number | undefined,
  server: Server,
  services: readonly Service[],
): { readonly service: Service; readonly behind: readonly ServicePort[] }[] {
  if (port === undefined) return [];
  return services.flatMap((service) => {
    const behind = service.ports.filter((servicePort) => targetPort(server, servicePort) === port);
    return behind.length === 0 ? [] : [{ service, behind }];
  });
}

/** The ports that policies of the namespace and of the mesh name for this server. */
export function namedPorts(view: IndexView, server: Server): ReadonlySet<number> {
  const named = new Set<number>();
  for (const kind of serverKinds) {
    for (const namespace of [meshNamespace, server.namespace]) {
      view.policiesAt(kind, namespace, undefined, ({ spec }) => {
        for (const port of spec.ports ?? []) if (holdsFor(spec, server, port)) named.add(port);
        return false; // which of them is in force is determined port by port
      });
    }
  }
  return named;
}

/** `name=value` of each label by which policies of the namespace, the mesh and these Services are narrowed. */
export function askedLabels(view: IndexView, namespace: string, services: readonly Service[]): ReadonlySet<string> {
  const asked = new Set<string>();
  const note = ({ spec }: PolicyOf<ServerKind>): boolean => {
    for (const label of spec.labels ?? []) asked.add(label.join("="));
    return false; // which of them is in force is determined for the pods that look different
  };
  for (const kind of serverKinds) {
    for (const place of [meshNamespace, namespace]) view.policiesAt(kind, place, undefined, note);
    for (const { name } of services) view.policiesAt(kind, namespace, name, note);
  }
  return asked;
}

function holdsFor({ labels = [], ports }: ServerScope, server: Server, port: number | undefined): boolean {
  if (ports !== undefined && (port === undefined || !ports.includes(port))) return false;
  return labels.every(([name, value]) => server.labels.get(name) === value);
}
