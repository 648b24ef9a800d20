/** EndpointSlices, found by their Service, and Services by the pods that their slices name. */

import { compareStrings } from "../source/problem.ts";
import type { EndpointSlice } from "./endpoint-slice.ts";

export class Slices {
  /** By namespace and Service, then by name. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** By namespace and pod: the Services, each with the number of slices that name the pod. */
  readonly #services = new Map<string, Map<string, number>>();

  /** Sorted by name. */
  of(namespace: string, service: string): readonly EndpointSlice[] {
    const slices = this.#slices.get(`${namespace}/${service}`);
    if (slices === undefined) return [];
    return [...slices.values()].sort((a, b) => compareStrings(a.name, b.name));
  }

  servicesOf({ namespace, name }: { readonly namespace: string; readonly name: string }): Iterable<string> {
    return this.#services.get(`${namespace}/${name}`)?.keys() ?? [];
  }

  toggle(slice: EndpointSlice, present: boolean): void {
    const { namespace, service, name, endpoints } = slice;
    const key = `${namespace}/${service}`;
    const slices = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
    if (present) slices.set(name, slice);
    else slices.delete(name);
    if (slices.size > 0) this.#slices.set(key, slices);
    else this.#slices.delete(key);
    for (const { pod } of endpoints) if (pod !== undefined) this.#count(`${namespace}/${pod.name}`, service, present);
  }

  #count(pod: string, service: string, present: boolean): void {
    const services = this.#services.get(pod) ?? new Map<string, number>();
    const count = (services.get(service) ?? 0) + (present ? 1 : -1);
    if (count > 0) services.set(service, count);
    else services.delete(service);
    if (services.size > 0) this.#services.set(pod, services);
    else this.#services.delete(pod);
  }
}
