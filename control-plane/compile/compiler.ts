/**
 * Keeps the snapshot in step with the index, at the lowest cost. The units are: all Destinations of one Service, all Endpoints
 * of one Service, one Inbound, one dialled address. Each unit remembers the facts it was compiled from, and is compiled again,
 * as a whole, only when one of them changes. Destinations dialled by IP address, or by a pod's own name, are compiled only
 * while some sidecar wants them: every pod has an address, but few are dialled by it.
 */

import type { Resource, ResourceKind } from "../../model/resources.ts";
import { assertNever } from "../../model/result.ts";
import { type Fact, type IndexView, TrackedView } from "../index/facts.ts";
import type { PodInbound, Snapshot } from "../snapshot.ts";
import { compileApart } from "./apart.ts";
import { compileDestinations } from "./destination.ts";
import { compileDialled, type DialledAddress, type DialledPod, parseDialled } from "./dialled-address.ts";
import { compileEndpoints, identityOf } from "./endpoints.ts";
import { compileInbound } from "./inbound.ts";
import type { MeshNames } from "./names.ts";

interface Unit {
  readonly kind: ResourceKind;
  readonly namespace: string;
  /** The name of the Service or workload. */
  readonly name: string;
  /** Present: the unit is this dialled address or pod, and not a Service or workload. */
  readonly address?: DialledAddress | DialledPod;
}

/** By the name of an Inbound: the identity that may have it, and the variants that single pods get instead. */
interface Owners {
  readonly identities: Map<string, string>;
  readonly apart: Map<string, ReadonlyMap<string, PodInbound>>;
}

/** A fact, and the units that read it. Units share one object per fact: a large cluster has a hundred thousand of these. */
interface Readership {
  readonly fact: Fact;
  /** By unit key. */
  readonly units: Map<string, Unit>;
}

interface CompiledUnit {
  readonly unit: Unit;
  readonly reads: readonly Readership[];
  /** The names of the policies and routes that are in it. */
  readonly policies: ReadonlySet<string>;
  /** The names of the resources it produced. */
  readonly gave: readonly string[];
}

/** Returns the resources that a policy or a route is part of, by its name. */
export type ResourcesWith = (policy: string) => readonly ResourceName[];

export interface ResourceName {
  readonly kind: ResourceKind;
  readonly name: string;
}

export interface CompilerOptions extends MeshNames {
  /** Called for each compiled unit, for metrics. */
  readonly onCompile?: (kind: ResourceKind, namespace: string, name: string) => void;
}

export class Compiler {
  readonly #index: IndexView;
  readonly #snapshot: Snapshot;
  readonly #options: CompilerOptions;
  readonly #compiled = new Map<string, CompiledUnit>();
  readonly #readerships = new Map<Fact, Readership>();
  /** The keys of the units that a policy or route is in, by its name. */
  readonly #carriers = new Map<string, Set<string>>();

  constructor(index: IndexView, snapshot: Snapshot, options: CompilerOptions) {
    this.#index = index;
    this.#snapshot = snapshot;
    this.#options = options;
  }

  /** Compiles everything that depends on the changed facts, and commits it to the snapshot at once. */
  update(changed: ReadonlySet<Fact>): void {
    const units = new Map<string, Unit>();
    for (const fact of changed) {
      for (const [key, unit] of this.#readerships.get(fact)?.units ?? []) units.set(key, unit);
      for (const unit of unitsNamedBy(fact)) units.set(keyOf(unit), unit);
    }
    this.#compileAll(units);
  }

  /** Sets whether any sidecar wants the destination dialled by this name. Services' names are always compiled. */
  setWanted(kind: ResourceKind, name: string, wanted: boolean): void {
    const address = parseDialled(name, this.#options);
    if (address === undefined || kind === "inbound") return;
    const unit: Unit = { kind, namespace: "", name, address };
    if (wanted) return this.#compileAll(new Map([[keyOf(unit), unit]]));
    this.#forget(keyOf(unit));
    this.#snapshot.commit({ published: [], withdrawn: [{ kind, name }], identities: new Map() });
  }

  #compileAll(units: ReadonlyMap<string, Unit>): void {
    const published: Resource[] = [];
    const withdrawn: ResourceName[] = [];
    const owners: Owners = { identities: new Map(), apart: new Map() };
    for (const [key, unit] of units) {
      const view = new TrackedView(this.#index);
      const resources = this.#compile(unit, view, owners);
      const gave = resources.map((resource) => resource.value.name);
      const before = this.#compiled.get(key)?.gave ?? [];
      for (const name of before) if (!gave.includes(name)) withdrawn.push({ kind: unit.kind, name });
      published.push(...resources);
      this.#remember(key, unit, view, gave);
    }
    this.#snapshot.commit({ published, withdrawn, ...owners });
  }

  /** The resources that a policy or a route is part of, by its name; empty: it is in force nowhere. */
  readonly resourcesWith: ResourcesWith = (policy) =>
    Array.from(this.#carriers.get(policy) ?? [], (key) => this.#compiled.get(key)).flatMap((compiled) =>
      compiled === undefined ? [] : compiled.gave.map((name) => ({ kind: compiled.unit.kind, name })),
    );

  /** The names of the policies and routes that are in force somewhere. */
  get inForce(): Iterable<string> {
    return this.#carriers.keys();
  }

  #compile(unit: Unit, view: IndexView, owners: Owners): Resource[] {
    const { kind, namespace, name } = unit;
    this.#options.onCompile?.(kind, namespace, name);
    if (unit.address !== undefined) {
      const resource = compileDialled(view, kind, unit.address, this.#options);
      return resource === undefined ? [] : [resource];
    }
    switch (kind) {
      case "destination":
        return compileDestinations(view, namespace, name, this.#options).map((value) => ({ kind, value }));
      case "endpoints":
        return compileEndpoints(view, namespace, name, this.#options).map((value) => ({ kind, value }));
      case "inbound": {
        const workload = view.workload(namespace, name);
        if (workload === undefined) return [];
        const value = compileInbound(view, name, workload);
        const identity = identityOf(workload, this.#options);
        owners.identities.set(value.name, identity);
        const apart = compileApart(view, workload, { value, identity }, this.#options);
        if (apart.size > 0) owners.apart.set(value.name, apart);
        return [{ kind, value }];
      }
      default:
        return assertNever(kind);
    }
  }

  /** A unit without a result is forgotten if a fact names it: a change of that fact brings it back. */
  #remember(key: string, unit: Unit, { read, applied: policies }: TrackedView, gave: readonly string[]): void {
    const before = this.#compiled.get(key);
    if (gave.length === 0 && unit.address === undefined) return this.#forget(key);
    const reads = Array.from(read, (fact) => this.#readershipOf(fact));
    for (const { units } of reads) units.set(key, unit);
    this.#compiled.set(key, { unit, reads, policies: policies.size === 0 ? none : policies, gave });
    for (const former of before?.reads ?? []) if (!read.has(former.fact)) this.#leave(former, key);
    for (const policy of policies) this.#carry(policy, key);
    for (const former of before?.policies ?? []) if (!policies.has(former)) this.#drop(former, key);
  }

  #carry(policy: string, key: string): void {
    const carriers = this.#carriers.get(policy);
    if (carriers === undefined) this.#carriers.set(policy, new Set([key]));
    else carriers.add(key);
  }

  #drop(policy: string, key: string): void {
    const carriers = this.#carriers.get(policy);
    carriers?.delete(key);
    if (carriers?.size === 0) this.#carriers.delete(policy);
  }

  #readershipOf(fact: Fact): Readership {
    const known = this.#readerships.get(fact);
    if (known !== undefined) return known;
    const made = { fact, units: new Map() };
    this.#readerships.set(fact, made);
    return made;
  }

  #forget(key: string): void {
    const { reads, policies } = this.#compiled.get(key) ?? { reads: [], policies: [] };
    for (const readership of reads) this.#leave(readership, key);
    for (const policy of policies) this.#drop(policy, key);
    this.#compiled.delete(key);
  }

  #leave({ fact, units }: Readership, key: string): void {
    units.delete(key);
    if (units.size === 0) this.#readerships.delete(fact);
  }
}

/** Shared by all units without a policy. */
const none: ReadonlySet<string> = new Set();

const unitKinds: Readonly<Record<string, readonly ResourceKind[]>> = {
  service: ["endpoints", "destination"],
  workload: ["inbound"],
};

/** The units of the Service or workload that a fact is about. */
function unitsNamedBy(fact: Fact): Unit[] {
  const [subject = "", namespace = "", name = ""] = fact.split(/[ /]/);
  return (unitKinds[subject] ?? []).map((kind) => ({ kind, namespace, name }));
}

function keyOf({ kind, namespace, name }: Unit): string {
  return `${kind} ${namespace}/${name}`;
}
