/**
 * What can be asked of the index, fact by fact. Each answer is one fact with a name; whoever reads through `TrackedView`
 * leaves behind the names of the facts it read, absent ones included, and is computed anew when one of them changes.
 */

import type { Pod, Workload } from "./pod.ts";
import type { Service } from "./service.ts";

export interface IndexView {
  service(namespace: string, name: string): Service | undefined;
  /** Sorted by name. */
  servicesIn(namespace: string): readonly Service[];
  /** The pods behind a Service, whatever their state, sorted by name. */
  podsOf(namespace: string, service: string): readonly Pod[];
  /** By the name that its Inbound has; a pod that no workload owns is a workload of its own. */
  workload(namespace: string, name: string): Workload | undefined;
}

/** The name of one fact. */
export type Fact = string;

export const facts = {
  service: (namespace: string, name: string): Fact => `service ${namespace}/${name}`,
  servicesIn: (namespace: string): Fact => `services ${namespace}`,
  podsOf: (namespace: string, service: string): Fact => `pods ${namespace}/${service}`,
  workload: (namespace: string, name: string): Fact => `workload ${namespace}/${name}`,
} as const;

/** Answers from another view, and remembers what was asked. */
export class TrackedView implements IndexView {
  readonly read = new Set<Fact>();
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

  workload(namespace: string, name: string): Workload | undefined {
    this.read.add(facts.workload(namespace, name));
    return this.#view.workload(namespace, name);
  }
}
