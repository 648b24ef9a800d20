/**
 * The questions that can be asked of the index. Each answer is one fact with a name. Anyone who reads through `TrackedView`
 * leaves behind the names of the facts it read, absent ones included, and is recomputed when one of them changes.
 */

import type { GatewayRoute } from "../../model/gateway-route.ts";
import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import type { AddressOwner } from "./addresses.ts";
import type { RouteKind } from "./gateway-routes.ts";
import type { Pod, Workload } from "./pod.ts";
import type { Service, ServicePort } from "./service.ts";

export type PolicyOf<K extends PolicyKind> = Extract<Policy, { kind: K }>;

/** The namespace whose policies without targets apply to the whole mesh. */
export const meshNamespace = "tulle-system";

export interface IndexView {
  service(namespace: string, name: string): Service | undefined;
  /** Sorted by name. */
  servicesIn(namespace: string): readonly Service[];
  /** The pods behind a Service, whatever their state, sorted by name. */
  podsOf(namespace: string, service: string): readonly Pod[];
  /** Pods that declare a port opaque, so that nobody looks into its bytes; sorted by name. */
  opaquePodsIn(namespace: string): readonly Pod[];
  /** By IP address, in canonical form. */
  addressOwner(ip: string): AddressOwner | undefined;
  /** By the name of its Inbound; a pod that no workload owns is a workload of its own. */
  workload(namespace: string, name: string): Workload | undefined;
  /**
   * The running pods with a sidecar of a workload without an object of its own, for which the newest pod speaks; none if there
   * is such an object.
   */
  replicasOf(namespace: string, name: string): readonly Pod[];
  /** The one policy of a kind that applies to a port of a Service. */
  policyFor<K extends PolicyKind>(kind: K, service: ServiceRef, port: ServicePort): PolicyOf<K> | undefined;
  /**
   * All policies of a kind that are attached to a Service, or without one to a namespace as its default, and for which
   * `holds` is true; each once, the winner first. `section` is the port of the Service that the policy names.
   */
  policiesAt<K extends PolicyKind>(
    kind: K,
    namespace: string,
    service: string | undefined,
    holds: (policy: PolicyOf<K>, section: string | undefined) => boolean,
  ): readonly PolicyOf<K>[];
  /** The Services of a namespace to which policies of a kind are attached, by name, sorted; some may not exist. */
  targetsIn(kind: PolicyKind, namespace: string): readonly string[];
  /** The one policy of a kind that is attached to a rule of a route, or to the whole of it; `rule` is the rule's name. */
  routePolicyFor<K extends PolicyKind>(kind: K, route: GatewayRoute, rule: string | undefined): PolicyOf<K> | undefined;
  /** HTTPRoutes and GRPCRoutes with this Service as a parent, in any namespace; older first. */
  routesOf(service: ServiceRef): readonly GatewayRoute[];
  /** Whether a ReferenceGrant lets objects of this kind and namespace lead to a Service of another namespace. */
  grants(kind: PolicyKind | RouteKind, from: string, service: ServiceRef): boolean;
}

/** The name of one fact. */
export type Fact = string;

export const facts = {
  service: (namespace: string, name: string): Fact => `service ${namespace}/${name}`,
  servicesIn: (namespace: string): Fact => `services ${namespace}`,
  podsOf: (namespace: string, service: string): Fact => `pods ${namespace}/${service}`,
  opaquePodsIn: (namespace: string): Fact => `opaque pods ${namespace}`,
  addressOwner: (ip: string): Fact => `address ${ip}`,
  workload: (namespace: string, name: string): Fact => `workload ${namespace}/${name}`,
  /** All policies and routes of a Service together: a fact for each kind would be most of what a large cluster costs. */
  attachedTo: (namespace: string, service: string): Fact => `attached ${namespace}/${service}`,
  policiesOfRoute: (kind: PolicyKind, route: RouteKind, namespace: string, name: string): Fact =>
    `${kind} ${route} ${namespace}/${name}`,
  targetsIn: (kind: PolicyKind, namespace: string): Fact => `${kind} targets ${namespace}`,
  policiesOfNamespace: (kind: PolicyKind, namespace: string): Fact => `${kind} ${namespace}`,
  grantsIn: (namespace: string): Fact => `grants ${namespace}`,
} as const;

/** Names a policy or a route: kinds are unique among both, so this is enough. */
export function policyName({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return `${kind} ${namespace}/${name}`;
}

/** Answers from another view, and records what was asked and which policies and routes were returned. */
export class TrackedView implements IndexView {
  readonly read = new Set<Fact>();
  /** The names of policies and routes that were returned. */
  readonly applied = new Set<string>();
  readonly #view: IndexView;

  constructor(view: IndexView) {
    this.#view = view;
  }

  service(namespace: string, name: string): Service | undefined {
    this.read.add(facts.service(namespace, name));
    return this.#view.service(namespace, name);
  }

  servicesIn(namespace: string): readonly Service[] {
    this.read.add(facts.servicesIn(namespace));
    return this.#view.servicesIn(namespace);
  }

  podsOf(namespace: string, service: string): readonly Pod[] {
    this.read.add(facts.podsOf(namespace, service));
    return this.#view.podsOf(namespace, service);
  }

  opaquePodsIn(namespace: string): readonly Pod[] {
    this.read.add(facts.opaquePodsIn(namespace));
    return this.#view.opaquePodsIn(namespace);
  }

  addressOwner(ip: string): AddressOwner | undefined {
    this.read.add(facts.addressOwner(ip));
    return this.#view.addressOwner(ip);
  }

  workload(namespace: string, name: string): Workload | undefined {
    this.read.add(facts.workload(namespace, name));
    return this.#view.workload(namespace, name);
  }

  replicasOf(namespace: string, name: string): readonly Pod[] {
    this.read.add(facts.workload(namespace, name));
    return this.#view.replicasOf(namespace, name);
  }

  policyFor<K extends PolicyKind>(kind: K, service: ServiceRef, port: ServicePort): PolicyOf<K> | undefined {
    this.read.add(facts.attachedTo(service.namespace, service.name));
    this.read.add(facts.policiesOfNamespace(kind, service.namespace));
    this.read.add(facts.policiesOfNamespace(kind, meshNamespace));
    const policy = this.#view.policyFor(kind, service, port);
    if (policy !== undefined) this.applied.add(policyName(policy));
    return policy;
  }

  policiesAt<K extends PolicyKind>(
    kind: K,
    namespace: string,
    service: string | undefined,
    holds: (policy: PolicyOf<K>, section: string | undefined) => boolean,
  ): readonly PolicyOf<K>[] {
    this.read.add(
      service === undefined ? facts.policiesOfNamespace(kind, namespace) : facts.attachedTo(namespace, service),
    );
    const policies = this.#view.policiesAt(kind, namespace, service, holds);
    for (const policy of policies) this.applied.add(policyName(policy));
    return policies;
  }

  targetsIn(kind: PolicyKind, namespace: string): readonly string[] {
    this.read.add(facts.targetsIn(kind, namespace));
    return this.#view.targetsIn(kind, namespace);
  }

  routePolicyFor<K extends PolicyKind>(
    kind: K,
    route: GatewayRoute,
    rule: string | undefined,
  ): PolicyOf<K> | undefined {
    this.read.add(facts.policiesOfRoute(kind, route.kind, route.namespace, route.name));
    const policy = this.#view.routePolicyFor(kind, route, rule);
    if (policy !== undefined) this.applied.add(policyName(policy));
    return policy;
  }

  routesOf(service: ServiceRef): readonly GatewayRoute[] {
    this.read.add(facts.attachedTo(service.namespace, service.name));
    const routes = this.#view.routesOf(service);
    for (const route of routes) this.applied.add(policyName(route));
    return routes;
  }

  grants(kind: PolicyKind | RouteKind, from: string, service: ServiceRef): boolean {
    this.read.add(facts.grantsIn(service.namespace));
    return this.#view.grants(kind, from, service);
  }
}
