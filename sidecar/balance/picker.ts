/**
 * Picks an endpoint: the cheaper of two drawn at random ("power of two choices"), so that callers don't all rush to the same
 * one. A picker is a snapshot of the endpoints: another set is another picker. O(1) as long as few breakers are open.
 *
 * Endpoints farther away are picked only if none of the preferred ones admits the request.
 */

import type { Permit } from "../../model/circuit-breaker.ts";
import type { Random } from "../../model/clock.ts";
import type { EndpointChoice } from "../../model/endpoint-choice.ts";
import type { LiveEndpoint } from "./live-endpoint.ts";

export type Pick =
  | { readonly kind: "picked"; readonly endpoint: LiveEndpoint; readonly permit: Permit }
  /** There are endpoints, but none admits a request: each has an open breaker or is full. */
  | { readonly kind: "no-permit" }
  | { readonly kind: "none" };

export class Picker {
  readonly #endpoints: readonly LiveEndpoint[];
  readonly #others: readonly LiveEndpoint[];
  readonly #random: Random;

  constructor({ preferred, others }: EndpointChoice<LiveEndpoint>, random: Random) {
    this.#endpoints = preferred;
    this.#others = others;
    this.#random = random;
  }

  /** `avoid`: addresses that are picked only if there is nothing else. `connects`: the request occupies a connection. */
  pick(avoid: readonly string[] | undefined, connects: boolean): Pick {
    const count = this.#endpoints.length;
    if (count === 0) return none;
    const first = this.#at(Math.floor(this.#random() * count));
    const second = count === 1 ? first : this.#anotherThan(first, count);
    const prefersFirst = first === second || this.#prefers(first, second, avoid);
    const better = prefersFirst ? first : second;
    const worse = prefersFirst ? second : first;
    if (!isAvoided(better, avoid)) {
      const picked = admitted(better, connects) ?? (isAvoided(worse, avoid) ? undefined : admitted(worse, connects));
      if (picked !== undefined) return picked;
    }
    return (avoid && this.#scan(avoid, connects)) ?? this.#scan(undefined, connects) ?? noPermit;
  }

  /**
   * Order of preference: endpoints not tried yet; then those waiting for a probe, however costly their failures made them;
   * then those not held back while they warm up; then the cheaper.
   */
  #prefers(a: LiveEndpoint, b: LiveEndpoint, avoid: readonly string[] | undefined): boolean {
    const avoided = isAvoided(a, avoid);
    if (avoided !== isAvoided(b, avoid)) return !avoided;
    const awaited = a.awaitsProbe;
    if (awaited !== b.awaitsProbe) return awaited;
    const heldBack = this.#holdsBack(a);
    return heldBack === this.#holdsBack(b) ? a.load.cost <= b.load.cost : !heldBack;
  }

  /** Random, so that its share of the requests rises as it warms up. */
  #holdsBack(endpoint: LiveEndpoint): boolean {
    const { warmth } = endpoint;
    return warmth < 1 && this.#random() >= warmth;
  }

  #anotherThan(first: LiveEndpoint, count: number): LiveEndpoint {
    const second = this.#at(Math.floor(this.#random() * (count - 1)));
    return second === first ? this.#at(count - 1) : second;
  }

  #scan(avoid: readonly string[] | undefined, connects: boolean): Pick | undefined {
    return this.#scanOf(this.#endpoints, avoid, connects) ?? this.#scanOf(this.#others, avoid, connects);
  }

  /** Starts at a random place, so that the endpoints after open ones get no more than their share. */
  #scanOf(
    endpoints: readonly LiveEndpoint[],
    avoid: readonly string[] | undefined,
    connects: boolean,
  ): Pick | undefined {
    const count = endpoints.length;
    const start = Math.floor(this.#random() * count);
    for (let i = 0; i < count; i++) {
      const endpoint = endpoints[(start + i) % count] as LiveEndpoint;
      const picked = isAvoided(endpoint, avoid) ? undefined : admitted(endpoint, connects);
      if (picked !== undefined) return picked;
    }
    return undefined;
  }

  #at(index: number): LiveEndpoint {
    return this.#endpoints[index] as LiveEndpoint;
  }
}

const none: Pick = { kind: "none" };
const noPermit: Pick = { kind: "no-permit" };

function admitted(endpoint: LiveEndpoint, connects: boolean): Pick | undefined {
  const permit = endpoint.admit(connects);
  return permit && { kind: "picked", endpoint, permit };
}

function isAvoided(endpoint: LiveEndpoint, avoid: readonly string[] | undefined): boolean {
  return avoid?.includes(endpoint.endpoint.address) ?? false;
}
