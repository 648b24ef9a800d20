/**
 * What is true now: it takes changes from sources, keeps the last valid reading of every object, and names the facts that
 * changed. An invalid object affects only itself: it becomes a problem with file and line, and its last valid version stays.
 */

import { isDeepStrictEqual } from "node:util";
import type { GatewayRoute } from "../../model/gateway-route.ts";
import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import { assertNever, type FieldError } from "../../model/result.ts";
import { kindsOf, recognizeKind } from "../source/known-kinds.ts";
import { groupOf, type KubeObject, type ObjectKey } from "../source/kube-object.ts";
import { compareProblems, compareStrings, type Problem } from "../source/problem.ts";
import type { SourceChange } from "../source/source.ts";
import type { AddressOwner } from "./addresses.ts";
import { BackingPods } from "./backing-pods.ts";
import { type Fact, facts, type IndexView, type PolicyOf } from "./facts.ts";
import { GatewayRoutes, isRouteKind, type RouteKind } from "./gateway-routes.ts";
import type { Pod, Workload } from "./pod.ts";
import { type Attachment, PolicyTable } from "./policy-table.ts";
import { type Reading, readKnown, readStandIn } from "./reading.ts";
import { permits, type ReferenceGrant } from "./reference-grant.ts";
import type { Service, ServicePort } from "./service.ts";
import { Table } from "./table.ts";

/** An object that has a status or a problem. */
interface Shown {
  readonly object: KubeObject;
  /** What is wrong with its current version. */
  readonly errors: readonly FieldError[];
  /** Its generation when it was last valid; undefined: it never was, or it is in a folder. */
  readonly version: number | undefined;
}

/** A policy object, valid or not. */
export interface HeldPolicy {
  readonly object: KubeObject;
  /** Its last valid content; undefined: it was never valid. */
  readonly policy: Policy | undefined;
  /** The object was never valid, and `policy` is a stand-in that closes what the object would have applied to. */
  readonly standsIn: boolean;
  readonly errors: readonly FieldError[];
  /** The generation from which `policy` was read; undefined: there is none, or it is in a folder. */
  readonly version: number | undefined;
}

/**
 * A route without a Service among its parents. It is for other programs, except that a status which was once written here must
 * be removed.
 */
export interface OthersRoute {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The object's generation; absent in a folder. */
  readonly observedGeneration?: number;
}

/** A route with a Service among its parents, valid or not. */
export interface HeldRoute {
  readonly object: KubeObject;
  /** Its last valid content; undefined: it was never valid. */
  readonly route: GatewayRoute | undefined;
  readonly errors: readonly FieldError[];
  /** As in `HeldPolicy`. */
  readonly version: number | undefined;
}

export class ClusterIndex implements IndexView {
  readonly #pods = new BackingPods();
  readonly #policies = new PolicyTable();
  readonly #routes = new GatewayRoutes();
  readonly #grants = new Table<ReferenceGrant>();
  /** The last valid content of every object of a kind that the mesh reads, or its stand-in. */
  readonly #readings = new Map<ObjectKey, Reading>();
  /** Not kept for every object: a cluster has a hundred thousand pods. */
  readonly #shown = new Map<ObjectKey, Shown>();
  readonly #othersRoutes = new Map<ObjectKey, OthersRoute>();
  /** Objects of kinds that are not read but deserve a warning. */
  readonly #unknown = new Map<ObjectKey, Problem>();
  #sourceProblems: readonly Problem[] = [];

  /** Returns the names of the facts that changed. */
  apply(change: SourceChange): ReadonlySet<Fact> {
    const touched = new Set<Fact>();
    for (const key of change.removed) {
      this.#unknown.delete(key);
      this.#othersRoutes.delete(key);
      this.#shown.delete(key);
      this.#replace(key, undefined, touched);
    }
    for (const object of change.applied) this.#take(object.key, object, touched);
    this.#sourceProblems = change.problems;
    return touched;
  }

  /** Problems with the input itself, by file and line; `policyStatuses` reports references between objects. */
  problems(): readonly Problem[] {
    const shown = [...this.#shown.values()].flatMap(({ object, errors }) => errors.map((e) => fieldProblem(object, e)));
    return [...this.#sourceProblems, ...this.#unknown.values(), ...shown].sort(compareProblems);
  }

  /** All workloads, sorted by namespace and name. */
  workloads(): readonly Workload[] {
    return this.#pods.workloads();
  }

  /** All objects of Tulle's own group, sorted by kind, namespace and name. */
  policies(): readonly HeldPolicy[] {
    return this.#shownOf(isPolicy).map(([key, shown]) => {
      const reading = this.#readings.get(key);
      if (reading?.as !== "policy") return { ...shown, policy: undefined, standsIn: false };
      return { ...shown, policy: reading.value, standsIn: reading.standsIn ?? false };
    });
  }

  /** The routes with a Service among their parents, sorted by kind, namespace and name. */
  routes(): readonly HeldRoute[] {
    return this.#shownOf(isRoute).map(([key, shown]) => {
      const reading = this.#readings.get(key);
      return { ...shown, route: reading?.as === "route" ? reading.value : undefined };
    });
  }

  /** The routes without a Service among their parents. */
  othersRoutes(): readonly OthersRoute[] {
    return [...this.#othersRoutes.values()];
  }

  route(kind: RouteKind, namespace: string, name: string): GatewayRoute | undefined {
    return this.#routes.get(kind, namespace, name);
  }

  #shownOf(wanted: (object: KubeObject) => boolean): [ObjectKey, Shown][] {
    return [...this.#shown].filter(([, { object }]) => wanted(object)).sort(([a], [b]) => compareStrings(a, b));
  }

  /** As in `PolicyTable`. */
  rivalOf(policy: Policy, attachment: Attachment, port: ServicePort | undefined): Policy | undefined {
    return this.#policies.rivalOf(policy, attachment, port);
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#pods.service(namespace, name);
  }

  servicesIn(namespace: string): readonly Service[] {
    return this.#pods.servicesIn(namespace);
  }

  podsOf(namespace: string, service: string): readonly Pod[] {
    return this.#pods.podsOf(namespace, service);
  }

  /** `namespace/name` of each, sorted. */
  readyPods(): readonly string[] {
    return this.#pods.readyPods();
  }

  /** Whether there is a ready pod with a sidecar whose `namespace/name` is not among these. */
  isAnyMeshedBeyond(names: ReadonlySet<string>): boolean {
    return this.#pods.isAnyMeshedBeyond(names);
  }

  opaquePodsIn(namespace: string): readonly Pod[] {
    return this.#pods.opaquePodsIn(namespace);
  }

  /** The pods with a sidecar but without a redirect to it; sorted by namespace and name. */
  podsWithoutRedirect(): readonly Pod[] {
    return this.#pods.podsWithoutRedirect();
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.pod(namespace, name);
  }

  addressOwner(ip: string): AddressOwner | undefined {
    return this.#pods.addressOwner(ip);
  }

  workload(namespace: string, name: string): Workload | undefined {
    return this.#pods.workload(namespace, name);
  }

  replicasOf(namespace: string, name: string): readonly Pod[] {
    return this.#pods.replicasOf(namespace, name);
  }

  policyFor<K extends PolicyKind>(kind: K, service: ServiceRef, port: ServicePort): PolicyOf<K> | undefined {
    return this.#policies.policyFor(kind, service, port);
  }

  policiesAt<K extends PolicyKind>(
    kind: K,
    namespace: string,
    service: string | undefined,
    holds: (policy: PolicyOf<K>, section: string | undefined) => boolean,
  ): readonly PolicyOf<K>[] {
    return this.#policies.policiesAt(kind, namespace, service, holds);
  }

  targetsIn(kind: PolicyKind, namespace: string): readonly string[] {
    return this.#policies.targetsIn(kind, namespace);
  }

  routePolicyFor<K extends PolicyKind>(
    kind: K,
    route: GatewayRoute,
    rule: string | undefined,
  ): PolicyOf<K> | undefined {
    return this.#policies.routePolicyFor(kind, route, rule);
  }

  routesOf(service: ServiceRef): readonly GatewayRoute[] {
    return this.#routes.of(service);
  }

  grants(kind: PolicyKind | RouteKind, from: string, service: ServiceRef): boolean {
    return this.#grants.in(service.namespace).some((grant) => permits(grant, kind, from, service.name));
  }

  #take(key: ObjectKey, object: KubeObject, touched: Set<Fact>): void {
    const result = readKnown(object);
    if (result === undefined) return this.#takeUnread(key, object, touched);
    this.#othersRoutes.delete(key);
    if (!result.ok) {
      this.#shown.set(key, { object, errors: result.error, version: this.#shown.get(key)?.version });
      const lastReading = this.#readings.get(key);
      if (lastReading === undefined || isStandIn(lastReading)) this.#replace(key, readStandIn(object), touched);
      return;
    }
    const reading = result.value;
    const errors = reading.as === "service" ? reading.ignored : [];
    if (errors.length > 0 || hasStatus(reading)) {
      this.#shown.set(key, { object, errors, version: object.metadata.generation });
    } else this.#shown.delete(key);
    if (isDeepStrictEqual(this.#readings.get(key), reading)) return;
    this.#replace(key, this.#sharing(reading), touched);
  }

  #sharing(reading: Reading): Reading {
    if (reading.as === "pod") return { as: "pod", value: this.#pods.sharing(reading.value) };
    return reading.as === "slice" ? { as: "slice", value: this.#pods.sharingSlice(reading.value) } : reading;
  }

  /** The route may have moved to a Gateway; then it was read before. */
  #takeUnread(key: ObjectKey, object: KubeObject, touched: Set<Fact>): void {
    this.#shown.delete(key);
    this.#replace(key, undefined, touched);
    if (isRoute(object)) this.#othersRoutes.set(key, othersRoute(object));
    const problem = unknownKind(object);
    if (problem === undefined) this.#unknown.delete(key);
    else this.#unknown.set(key, problem);
  }

  /** A key never changes its kind, so two readings under one key are of the same type. */
  #replace(key: ObjectKey, after: Reading | undefined, touched: Set<Fact>): void {
    const before = this.#readings.get(key);
    if (before !== undefined) this.#toggle(before, false, touched);
    if (after === undefined) this.#readings.delete(key);
    else this.#readings.set(key, after);
    if (after !== undefined) this.#toggle(after, true, touched);
  }

  #toggle(reading: Reading, present: boolean, touched: Set<Fact>): void {
    switch (reading.as) {
      case "service":
        return this.#pods.toggleService(reading.value, present, touched);
      case "pod":
        return this.#pods.togglePod(reading.value, present, touched);
      case "slice":
        return this.#pods.toggleSlice(reading.value, present, touched);
      case "workload":
        return this.#pods.toggleWorkload(reading.kind, reading.value, present, touched);
      case "policy":
        return this.#policies.toggle(reading, present, touched);
      case "route":
        return this.#routes.toggle(reading.value, present, touched);
      case "grant":
        this.#grants.toggle(reading.value, present);
        touched.add(facts.grantsIn(reading.value.namespace));
        return;
      default:
        assertNever(reading);
    }
  }
}

function othersRoute({ kind, metadata: { namespace, name, generation } }: KubeObject): OthersRoute {
  return { kind, namespace, name, ...(generation !== undefined && { observedGeneration: generation }) };
}

function unknownKind(object: KubeObject): Problem | undefined {
  const group = groupOf(object.apiVersion);
  const name = `${object.kind} (${object.apiVersion})`;
  const place = { file: object.origin.file, line: object.origin.lineOf("kind"), path: "kind" };
  switch (recognizeKind(group, object.kind)) {
    case "listed":
      return undefined;
    case "misspelt": {
      const message = `unknown kind ${name}; of ${object.apiVersion} there are ${kindsOf(group).join(", ")}`;
      return { severity: "error", ...place, message };
    }
    case "foreign":
      return { severity: "warning", ...place, message: `unknown kind ${name}, ignored` };
  }
}

/** A problem with a field, at the place where its author wrote it. */
export function fieldProblem({ origin }: KubeObject, { path, message }: FieldError): Problem {
  return { severity: "error", file: origin.file, line: origin.lineOf(path), path, message };
}

function hasStatus({ as }: Reading): boolean {
  return as === "policy" || as === "route";
}

function isStandIn(reading: Reading): boolean {
  return reading.as === "policy" && reading.standsIn === true;
}

function isPolicy({ apiVersion }: KubeObject): boolean {
  return groupOf(apiVersion) === "tulle.dev";
}

function isRoute({ apiVersion, kind }: KubeObject): boolean {
  return groupOf(apiVersion) === "gateway.networking.k8s.io" && isRouteKind(kind);
}
