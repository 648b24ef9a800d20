/**
 * What is true now: takes changes from sources, keeps the last good reading of every object, and names the facts that
 * changed. A bad object harms only itself: it is a problem with file and line, and what it last said validly stays true.
 */

import { isDeepStrictEqual } from "node:util";
import type { GatewayRoute } from "../../model/gateway-route.ts";
import type { Policy, PolicyKind } from "../../model/policy-object.ts";
import type { ServiceRef } from "../../model/resources.ts";
import { assertNever, type FieldError } from "../../model/result.ts";
import { kindsOf, recognizeKind } from "../source/known-kinds.ts";
import { groupOf, type KubeObject, type ObjectKey, objectKey } from "../source/kube-object.ts";
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

/** An object of a kind that the mesh reads. */
interface Held {
  /** Whole where it has a status to show, else no more than where it is from: clusters have many pods. */
  readonly object: KubeObject;
  /** The last valid one, or what stands in for one; undefined: there was none yet. */
  readonly reading: Reading | undefined;
  /** What is wrong with the object as it is now. */
  readonly errors: readonly FieldError[];
}

/** A policy object, valid or not. */
export interface HeldPolicy {
  readonly object: KubeObject;
  /** What it says, or said when it was last valid; undefined: it never was. */
  readonly policy: Policy | undefined;
  /** It never was valid, and `policy` closes what it would have held for. */
  readonly standsIn: boolean;
  readonly errors: readonly FieldError[];
}

/** A route with a Service among its parents, valid or not. */
export interface HeldRoute {
  readonly object: KubeObject;
  /** What it says, or said when it was last valid; undefined: it never was. */
  readonly route: GatewayRoute | undefined;
  readonly errors: readonly FieldError[];
}

export class ClusterIndex implements IndexView {
  readonly #pods = new BackingPods();
  readonly #policies = new PolicyTable();
  readonly #routes = new GatewayRoutes();
  readonly #grants = new Table<ReferenceGrant>();
  readonly #held = new Map<ObjectKey, Held>();
  /** Objects of kinds that are not read but deserve a word. */
  readonly #unknown = new Map<ObjectKey, Problem>();
  #sourceProblems: readonly Problem[] = [];

  /** Returns the names of the facts that changed. */
  apply(change: SourceChange): ReadonlySet<Fact> {
    const touched = new Set<Fact>();
    for (const key of change.removed) {
      this.#unknown.delete(key);
      this.#replace(this.#held.get(key)?.reading, undefined, touched);
      this.#held.delete(key);
    }
    for (const object of change.applied) this.#take(objectKey(object), object, touched);
    this.#sourceProblems = change.problems;
    return touched;
  }

  /** What is wrong with the input by itself, by file and line; references between objects are `policyStatuses`' business. */
  problems(): readonly Problem[] {
    const held = [...this.#held.values()].flatMap(({ object, errors }) => errors.map((e) => fieldProblem(object, e)));
    return [...this.#sourceProblems, ...this.#unknown.values(), ...held].sort(compareProblems);
  }

  /** All workloads, sorted by namespace and name. */
  workloads(): readonly Workload[] {
    return this.#pods.workloads();
  }

  /** All objects of Tulle's own group, sorted by kind, namespace and name. */
  policies(): readonly HeldPolicy[] {
    return this.#heldOf("tulle.dev").map(({ object, reading, errors }) => {
      if (reading?.as !== "policy") return { object, policy: undefined, standsIn: false, errors };
      return { object, policy: reading.value, standsIn: reading.standsIn ?? false, errors };
    });
  }

  /** Those with a Service among their parents, sorted by kind, namespace and name. */
  routes(): readonly HeldRoute[] {
    const held = this.#heldOf("gateway.networking.k8s.io").filter(({ object }) => isRouteKind(object.kind));
    return held.map(({ object, reading, errors }) => {
      return { object, route: reading?.as === "route" ? reading.value : undefined, errors };
    });
  }

  route(kind: RouteKind, namespace: string, name: string): GatewayRoute | undefined {
    return this.#routes.get(kind, namespace, name);
  }

  #heldOf(group: string): Held[] {
    return [...this.#held]
      .filter(([, { object }]) => groupOf(object.apiVersion) === group)
      .sort(([a], [b]) => compareStrings(a, b))
      .map(([, held]) => held);
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

  opaquePodsIn(namespace: string): readonly Pod[] {
    return this.#pods.opaquePodsIn(namespace);
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
    const before = this.#held.get(key);
    const result = readKnown(object);
    if (result === undefined) {
      // A route may have been given to a Gateway.
      this.#replace(before?.reading, undefined, touched);
      this.#held.delete(key);
      const problem = unknownKind(object);
      if (problem === undefined) this.#unknown.delete(key);
      else this.#unknown.set(key, problem);
    } else if (result.ok) {
      const errors = result.value.as === "service" ? result.value.ignored : [];
      const isNews = !isDeepStrictEqual(before?.reading, result.value);
      const reading = isNews ? result.value : before?.reading;
      this.#held.set(key, { object: hasStatus(result.value) ? object : bareObject(object), reading, errors });
      if (isNews) this.#replace(before?.reading, reading, touched);
    } else {
      const { reading: said } = before ?? {};
      const lastGood = said?.as === "policy" && said.standsIn ? undefined : said;
      const reading = lastGood ?? readStandIn(object);
      this.#held.set(key, { object, reading, errors: result.error });
      if (lastGood === undefined) this.#replace(said, reading, touched);
    }
  }

  /** A key never changes its kind, so two readings of it are of one sort. */
  #replace(before: Reading | undefined, after: Reading | undefined, touched: Set<Fact>): void {
    if (before !== undefined) this.#toggle(before, false, touched);
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

/** What is wrong with a field, with the place where its author wrote it. */
export function fieldProblem({ origin }: KubeObject, { path, message }: FieldError): Problem {
  return { severity: "error", file: origin.file, line: origin.lineOf(path), path, message };
}

function hasStatus({ as }: Reading): boolean {
  return as === "policy" || as === "route";
}

const nothing: ReadonlyMap<string, string> = new Map();

/** What its reading does not say: its name and its place. */
function bareObject({ apiVersion, kind, metadata, origin }: KubeObject): KubeObject {
  const { namespace, name } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { namespace, name, labels: nothing, annotations: nothing },
    spec: undefined,
    status: undefined,
    otherFields: [],
    origin,
  };
}
