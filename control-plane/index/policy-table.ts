/**
 * Policies, and which of them applies where.
 *
 *   a Service's port  >  the Service  >  its namespace  >  the mesh (the namespace of Tulle itself)
 *
 * The most specific wins whole. Of two on one level the older wins, and where neither has an age (in a folder), the first by
 * namespace and name.
 */

import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import { compareStrings } from "../source/problem.ts";
import { type Fact, facts, meshNamespace, type PolicyOf } from "./facts.ts";
import type { ServicePort } from "./service.ts";

/** A policy as it competes with others. */
export interface Contender {
  readonly value: Policy;
  /** RFC 3339; empty where the source knows none. */
  readonly creationTimestamp: string;
}

/** One thing that a policy is attached to. */
export interface Attachment {
  readonly namespace: string;
  /** Absent: the whole namespace. */
  readonly service?: string;
  /** The port of the Service, by name or number; absent: all of it. */
  readonly section?: string;
  /** The field of the policy that says so. */
  readonly path: string;
}

/** What a policy is attached to, routes left out: they are not Services, and none is compiled. */
export function attachmentsOf(policy: Policy): Attachment[] {
  const { namespace } = policy;
  if (policy.kind === "TrafficSplit") {
    const { service, port } = policy.spec;
    return [{ namespace, service, ...(port === undefined ? {} : { section: String(port) }), path: "spec.service" }];
  }
  if (policy.targets.length === 0) return [{ namespace, path: "spec" }];
  return policy.targets.flatMap(({ kind, name, sectionName }, index) => {
    if (kind !== "Service") return [];
    const section = sectionName === undefined ? {} : { section: sectionName };
    return [{ namespace, service: name, ...section, path: `spec.targetRefs[${index}]` }];
  });
}

/** Whether a section names this port. */
export function isPort(section: string, port: ServicePort): boolean {
  return section === port.name || section === String(port.port);
}

interface Entry extends Contender {
  readonly section: string | undefined;
}

/** Who is attached to one thing. */
interface Place {
  /** By policy and section. */
  readonly entries: Map<string, Entry>;
  /** The winner first; made when it is asked for, so that thousands may come at once. */
  ranked: readonly Entry[] | undefined;
}

export class PolicyTable {
  readonly #places = new Map<Fact, Place>();

  toggle({ value: policy, creationTimestamp }: Contender, present: boolean, touched: Set<Fact>): void {
    for (const attachment of attachmentsOf(policy)) {
      const { section } = attachment;
      const fact = factOf(policy.kind, attachment);
      const place = this.#places.get(fact) ?? { entries: new Map<string, Entry>(), ranked: undefined };
      const key = `${policy.namespace}/${policy.name} ${section ?? ""}`;
      if (present) place.entries.set(key, { value: policy, creationTimestamp, section });
      else place.entries.delete(key);
      place.ranked = undefined;
      if (place.entries.size === 0) this.#places.delete(fact);
      else this.#places.set(fact, place);
      touched.add(fact);
    }
  }

  policyFor<K extends PolicyKind>(kind: K, service: ServiceRef, port: ServicePort): PolicyOf<K> | undefined {
    const own = this.#at(facts.policiesOfService(kind, service.namespace, service.name));
    const winner =
      own.find(({ section }) => section !== undefined && isPort(section, port)) ??
      own.find(({ section }) => section === undefined) ??
      this.#at(facts.policiesOfNamespace(kind, service.namespace))[0] ??
      this.#at(facts.policiesOfNamespace(kind, meshNamespace))[0];
    // What is attached as a kind is of that kind.
    return winner?.value as PolicyOf<K> | undefined;
  }

  /** The policy that is attached to the very same thing and goes before this one. `port` is the one that the section names. */
  rivalOf(policy: Policy, attachment: Attachment, port: ServicePort | undefined): Policy | undefined {
    const first = this.#at(factOf(policy.kind, attachment)).find(({ section }) =>
      section === undefined || port === undefined ? section === attachment.section : isPort(section, port),
    );
    return first?.value === policy ? undefined : first?.value;
  }

  #at(fact: Fact): readonly Entry[] {
    const place = this.#places.get(fact);
    if (place === undefined) return [];
    place.ranked ??= [...place.entries.values()].sort(compareContenders);
    return place.ranked;
  }
}

function factOf(kind: PolicyKind, { namespace, service }: Attachment): Fact {
  return service === undefined
    ? facts.policiesOfNamespace(kind, namespace)
    : facts.policiesOfService(kind, namespace, service);
}

function compareContenders(a: Contender, b: Contender): number {
  return (
    compareStrings(a.creationTimestamp, b.creationTimestamp) ||
    compareStrings(a.value.namespace, b.value.namespace) ||
    compareStrings(a.value.name, b.value.name)
  );
}
