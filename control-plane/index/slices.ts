/** EndpointSlices, by their Service, and Services, by the pods that their slices name. */

import { compareStrings } from "../source/problem.ts";
import type { EndpointSlice } from "./endpoint-slice.ts";

export class Slices {
  /** By namespace and Service; sorted by name. */
  readonly #slices = new Map<string, readonly EndpointSlice[]>();
  /**
   * The Services of each pod, by namespace and pod; a Service is listed once for every slice that names the pod. Lists are
   * shared.
   */
  readonly #services = new Map<string, Map<string, readonly string[]>>();

  /** Sorted by name. */
  of(namespace: string, service: string): readonly EndpointSlice[] {
    return this.#slices.get(`${namespace}/${service}`) ?? [];
  }

  /** May list a Service twice. */
  servicesOf({ namespace, name }: { readonly namespace: string; readonly name: string }): readonly string[] {
    return this.#services.get(namespace)?.get(name) ?? [];
  }

  toggle(slice: EndpointSlice, present: boolean): void {
    const { namespace, service, name } = slice;
    const key = `${namespace}/${service}`;
    const others = this.of(namespace, service).filter((other) => other.name !== name);
    const slices = present ? [...others, slice].sort((a, b) => compareStrings(a.name, b.name)) : others;
    if (slices.length > 0) this.#slices.set(key, slices);
    else this.#slices.delete(key);
    this.#togglePods(slice, present);
  }

  #togglePods({ namespace, service, endpoints }: EndpointSlice, present: boolean): void {
    const pods = this.#services.get(namespace) ?? new Map<string, readonly string[]>();
    const only = [service];
    for (const { pod } of endpoints) {
      if (pod === undefined) continue;
      const before = pods.get(pod.name);
      const after = present ? withOne(before, service, only) : withoutOne(before ?? [], service);
      if (after.length > 0) pods.set(pod.name, after);
      else pods.delete(pod.name);
    }
    if (pods.size > 0) this.#services.set(namespace, pods);
    else this.#services.delete(namespace);
  }
}

/** `only` is a list of just this Service, to be shared: most pods are in one slice. */
function withOne(before: readonly string[] | undefined, service: string, only: readonly string[]): readonly string[] {
  return before === undefined ? only : [...before, service];
}

function withoutOne(before: readonly string[], service: string): readonly string[] {
  const at = before.indexOf(service);
  return at < 0 ? before : before.toSpliced(at, 1);
}
