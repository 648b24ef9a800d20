/**
 * Which Service or pod owns an IP address. Two may claim the same one for a while: a pod that has ended keeps its address in
 * the API while the next pod already uses it. One of them then counts as the owner, the same one in whatever order they came.
 */

import { compareStrings } from "../source/problem.ts";
import { type Fact, facts } from "./facts.ts";
import type { Pod } from "./pod.ts";
import type { Service } from "./service.ts";

export type AddressOwner =
  | { readonly kind: "service"; readonly service: Service }
  | { readonly kind: "pod"; readonly pod: Pod };

export class Addresses {
  /** The owner comes first. */
  readonly #claims = new Map<string, readonly AddressOwner[]>();

  ownerOf(ip: string): AddressOwner | undefined {
    return this.#claims.get(ip)?.[0];
  }

  toggle(owner: AddressOwner, ips: readonly string[], present: boolean, touched: Set<Fact>): void {
    const key = rankOf(owner);
    for (const ip of ips) {
      const others = (this.#claims.get(ip) ?? []).filter((claim) => rankOf(claim) !== key);
      const claims = present ? [...others, owner].sort((a, b) => compareStrings(rankOf(a), rankOf(b))) : others;
      if (claims.length === 0) this.#claims.delete(ip);
      else this.#claims.set(ip, claims);
      touched.add(facts.addressOwner(ip));
    }
  }
}

/** The lowest rank owns the address: a Service, then a pod that stays, then a pod that is terminating. */
function rankOf(owner: AddressOwner): string {
  if (owner.kind === "service") return `0 ${owner.service.namespace}/${owner.service.name}`;
  return `${owner.pod.terminating ? 2 : 1} ${owner.pod.namespace}/${owner.pod.name}`;
}
