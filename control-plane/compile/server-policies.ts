/**
 * The server's policies that hold for a port of a workload: those attached to a Service whose pods it runs, at the ports
 * behind that Service, and the defaults of its namespace and of the mesh; narrowed by the policy's labels and ports.
 */

import type { ServerScope } from "../../model/policy.ts";
import type { PolicyKind } from "../../model/policy-object.ts";
import { type IndexView, meshNamespace, type PolicyOf } from "../index/facts.ts";
import { selects, type Workload } from "../index/pod.ts";
import { compareNames, isPort } from "../index/policy-table.ts";
import { targetPort } from "./endpoints.ts";

/** The kinds whose policies add up: all that select a port hold there. */
export type AddingKind = "AccessPolicy" | "RateLimit";

export const addingKinds: readonly AddingKind[] = ["AccessPolicy", "RateLimit"];

export function addsUp(kind: PolicyKind): boolean {
  return addingKinds.some((adding) => adding === kind);
}

/** Sorted by namespace and name. `port` is a container port; undefined: any that nobody names. */
export function serverPolicies<K extends AddingKind>(
  view: IndexView,
  kind: K,
  workload: Workload,
  port: number | undefined,
): PolicyOf<K>[] {
  const { namespace } = workload;
  const inScope = ({ spec }: PolicyOf<AddingKind>) => holdsFor(spec, workload, port);
  const found = new Set<PolicyOf<AddingKind>>();
  for (const place of new Set([meshNamespace, namespace]))
    for (const policy of view.policiesAt<AddingKind>(kind, place, undefined, inScope)) found.add(policy);
  for (const service of view.servicesIn(namespace)) {
    // A port that nobody names is behind no Service.
    if (port === undefined || !selects(service.selector, workload.labels)) continue;
    const behind = service.ports.filter((servicePort) => targetPort(workload, servicePort) === port);
    const attached = view.policiesAt<AddingKind>(kind, namespace, service.name, (policy, section) => {
      const isNamed = behind.some((servicePort) => section === undefined || isPort(section, servicePort));
      return isNamed && inScope(policy);
    });
    for (const policy of attached) found.add(policy);
  }
  // What is attached as a kind is of that kind.
  return [...found].sort(compareNames) as PolicyOf<K>[];
}

/** The ports that policies of the namespace and the mesh name for this workload. */
export function namedPorts(view: IndexView, kind: AddingKind, workload: Workload): number[] {
  const named = (namespace: string) =>
    view.policiesAt(
      kind,
      namespace,
      undefined,
      ({ spec }) => spec.ports?.some((port) => holdsFor(spec, workload, port)) ?? false,
    );
  return [meshNamespace, workload.namespace].flatMap(named).flatMap(({ spec }) => spec.ports ?? []);
}

function holdsFor({ labels = [], ports }: ServerScope, workload: Workload, port: number | undefined): boolean {
  if (ports !== undefined && (port === undefined || !ports.includes(port))) return false;
  return labels.every(([name, value]) => workload.labels.get(name) === value);
}
