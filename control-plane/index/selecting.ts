/** Which Services select a pod, without asking each of them: every selector is filed under one of its labels. */

import { compareStrings } from "../source/problem.ts";
import { selects } from "./pod.ts";
import type { Service } from "./service.ts";

/** By the list it was built from: the same list object has the same content. */
const filed = new WeakMap<readonly Service[], ReadonlyMap<string, readonly Service[]>>();

/** Sorted by name. `services` is the list of one namespace; it must not change, and should be the same object each time. */
export function servicesSelecting(services: readonly Service[], labels: ReadonlyMap<string, string>): Service[] {
  const byLabel = filed.get(services) ?? fileByLabel(services);
  const found = [...labels].flatMap(([key, value]) => byLabel.get(`${key}=${value}`) ?? []);
  return found.filter(({ selector }) => selects(selector, labels)).sort((a, b) => compareStrings(a.name, b.name));
}

function fileByLabel(services: readonly Service[]): ReadonlyMap<string, readonly Service[]> {
  const byLabel = new Map<string, Service[]>();
  for (const service of services) {
    const [first] = service.selector;
    if (first === undefined) continue; // it selects none
    const label = `${first[0]}=${first[1]}`;
    const others = byLabel.get(label);
    if (others === undefined) byLabel.set(label, [service]);
    else others.push(service);
  }
  filed.set(services, byLabel);
  return byLabel;
}
