/**
 * Policies, and which of them applies where.
 *
 *   a rule of a route  >  the route  >  a Service's port  >  the Service  >  its namespace  >  the mesh
 *
 * (the mesh: the namespace of Tulle itself)
 *
 * The most specific wins whole. Of two on one level the older wins, and where neither has an age (in a folder), the first by
 * namespace and name.
 */

import type { GatewayRoute } from "../../model/gateway-route.ts";
import type { ServerScope } from "../../model/policy.ts";
import type { Policy, PolicyKind, TargetRef } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import { compareStrings } from "../source/problem.ts";
import { type Fact, facts, meshNamespace, type PolicyOf } from "./facts.ts";
import type { ServicePort } from "./service.ts";

/** A policy as it competes with others for a target. */
export interface Contender {
  readonly value: Policy;
  /** RFC 3339; empty if the source has no timestamps. */
  readonly creationTimestamp: string;
}

/** One target of a policy. */
export interface Attachment {
  readonly namespace: string;
  /** Absent: the whole namespace. */
  readonly target?: Pick<TargetRef, "kind" | "name">;
  /** The Service's port, by name or number, or the name of the route's rule; absent: the whole target. */
  readonly section?: string;
  /** The field of the policy that names this target. */
  readonly path: string;
}

/** What a policy is attached to. */
export function attachmentsOf(policy: Policy): Attachment[] {
  const { namespace } = policy;
  if (policy.kind === "TrafficSplit") {
    const { service, port } = policy.spec;
    const target = { kind: "Service", name: service } as const;
    return [{ namespace, target, ...(port === undefined ? {} : { section: String(port) }), path: "spec.service" }];
  }
  if (policy.targets.length === 0) return [{ namespace, path: "spec" }];
  return policy.targets.map(({ kind, name, sectionName }, index) => {
    const section = sectionName === undefined ? {} : { section: sectionName };
    return { namespace, target: { kind, name }, ...section, path: `spec.targetRefs[${index}]` };
  });
}

/** Whether a section names this port. */
export function isPort(section: string, port: ServicePort): boolean {
  return section === port.name || section === String(port.port);
}

interface Entry extends Contender {
  readonly section: string | undefined;
}

/** The policies attached to one target. */
interface Place {
  /** By policy and section. */
  readonly entries: Map<string, Entry>;
  /** The winner first; sorted only when asked for, so that thousands may be added at once. */
  ranked: readonly Entry[] | undefined;
}

export class PolicyTable {
  /** By kind and target, see `placeOf`. */
  readonly #places = new Map<string, Place>();
  /** Services with a place, by kind and namespace. */
  readonly #targets = new Map<Fact, Set<string>>();

  toggle({ value: policy, creationTimestamp }: Contender, present: boolean, touched: Set<Fact>): void {
    for (const attachment of attachmentsOf(policy)) {
      const { section } = attachment;
      const at = placeOf(policy.kind, attachment);
      const place = this.#places.get(at) ?? { entries: new Map<string, Entry>(), ranked: undefined };
      const key = `${policy.namespace}/${policy.name} ${section ?? ""}`;
      if (present) place.entries.set(key, { value: policy, creationTimestamp, section });
      else place.entries.delete(key);
      place.ranked = undefined;
      if (place.entries.size === 0) this.#places.delete(at);
      else this.#places.set(at, place);
      touched.add(factOf(policy.kind, attachment));
      this.#noteTarget(policy.kind, attachment, place.entries.size > 0, touched);
    }
  }

  #noteTarget(kind: PolicyKind, { namespace, target }: Attachment, present: boolean, touched: Set<Fact>): void {
    if (target?.kind !== "Service") return;
    const fact = facts.targetsIn(kind, namespace);
    const names = this.#targets.get(fact) ?? new Set<string>();
    if (names.has(target.name) === present) return;
    if (present) names.add(target.name);
    else names.delete(target.name);
    if (names.size === 0) this.#targets.delete(fact);
    else this.#targets.set(fact, names);
    touched.add(fact);
  }

  targetsIn(kind: PolicyKind, namespace: string): readonly string[] {
    return [...(this.#targets.get(facts.targetsIn(kind, namespace)) ?? [])].sort(compareStrings);
  }

  policyFor<K extends PolicyKind>(kind: K, service: ServiceRef, port: ServicePort): PolicyOf<K> | undefined {
    const own = this.#at(serviceOrNamespace(kind, service.namespace, service.name));
    const winner =
      own.find(({ section }) => section !== undefined && isPort(section, port)) ??
      own.find(({ section }) => section === undefined) ??
      this.#at(serviceOrNamespace(kind, service.namespace))[0] ??
      this.#at(serviceOrNamespace(kind, meshNamespace))[0];
    // Everything attached under a kind is of that kind.
    return winner?.value as PolicyOf<K> | undefined;
  }

  routePolicyFor<K extends PolicyKind>(
    kind: K,
    route: GatewayRoute,
    rule: string | undefined,
  ): PolicyOf<K> | undefined {
    const own = this.#at(placeOf(kind, { namespace: route.namespace, target: route }));
    const winner =
      own.find(({ section }) => section !== undefined && section === rule) ??
      own.find(({ section }) => section === undefined);
    return winner?.value as PolicyOf<K> | undefined;
  }

  policiesAt<K extends PolicyKind>(
    kind: K,
    namespace: string,
    service: string | undefined,
    holds: (policy: PolicyOf<K>, section: string | undefined) => boolean,
  ): PolicyOf<K>[] {
    const found = new Set<PolicyOf<K>>();
    for (const { value, section } of this.#at(serviceOrNamespace(kind, namespace, service))) {
      const policy = value as PolicyOf<K>;
      if (holds(policy, section)) found.add(policy);
    }
    return [...found];
  }

  /**
   * The policy that is attached to exactly the same target and takes precedence over this one everywhere. `port` is the port
   * that the section names.
   */
  rivalOf(policy: Policy, attachment: Attachment, port: ServicePort | undefined): Policy | undefined {
    const first = this.#at(placeOf(policy.kind, attachment)).find(({ section, value }) => {
      const isSame =
        section === undefined || port === undefined ? section === attachment.section : isPort(section, port);
      return isSame && (value === policy || covers(scopeOf(value), scopeOf(policy)));
    });
    return first?.value === policy ? undefined : first?.value;
  }

  #at(at: string): readonly Entry[] {
    const place = this.#places.get(at);
    if (place === undefined) return [];
    place.ranked ??= [...place.entries.values()].sort(compareContenders);
    return place.ranked;
  }
}

function factOf(kind: PolicyKind, { namespace, target }: Attachment): Fact {
  if (target === undefined) return facts.policiesOfNamespace(kind, namespace);
  if (target.kind === "Service") return facts.attachedTo(namespace, target.name);
  return facts.policiesOfRoute(kind, target.kind, namespace, target.name);
}

function placeOf(kind: PolicyKind, { namespace, target }: Pick<Attachment, "namespace" | "target">): string {
  if (target === undefined || target.kind === "Service") return serviceOrNamespace(kind, namespace, target?.name);
  return `${kind} ${target.kind} ${namespace}/${target.name}`;
}

/** The place of a Service, or, without one, of its namespace. */
function serviceOrNamespace(kind: PolicyKind, namespace: string, service?: string): string {
  return service === undefined ? `${kind} ${namespace}` : `${kind} ${namespace}/${service}`;
}

function compareContenders(a: Contender, b: Contender): number {
  return compareStrings(a.creationTimestamp, b.creationTimestamp) || compareNames(a.value, b.value);
}

export function compareNames(a: ServiceRef, b: ServiceRef): number {
  return compareStrings(a.namespace, b.namespace) || compareStrings(a.name, b.name);
}

/** The pods and ports behind its targets to which a policy is narrowed; for kinds of which only one policy applies. */
export function scopeOf(policy: Policy): ServerScope {
  return policy.kind === "IdempotencyPolicy" ? policy.spec : {};
}

/** Whether one scope includes the other completely. */
function covers(wide: ServerScope, narrow: ServerScope): boolean {
  const { labels = [], ports } = wide;
  const hasLabel = ([name, value]: readonly [string, string]) =>
    narrow.labels?.some(([n, v]) => n === name && v === value) ?? false;
  return (
    labels.every(hasLabel) && (ports === undefined || (narrow.ports?.every((port) => ports.includes(port)) ?? false))
  );
}
