/**
 * Where requests with an `Idempotency-Key` go if their target recognises them by it. If each pod remembers by itself, a key
 * belongs to one pod, the same for all sidecars of the calling workload, wherever they run; otherwise to any free one.
 *
 * A key may get another owner when pods and weights change. The pod that had the key knows it, so this sidecar remembers the
 * owners of its last keys: what is repeated after a scale-up goes where it went before.
 */

import { knownKeyIn, ownerOfKey } from "../../model/idempotency.ts";
import type { KnownKeys } from "../../model/resources.ts";
import type { Exchange } from "../net/exchange.ts";
import type { LiveEndpoint } from "./live-endpoint.ts";

/** The most keys remembered for a backend: 100 requests a second are remembered for over a minute. */
const rememberedKeys = 10_000;

/** A snapshot: with other endpoints, keys may have other owners. */
export class KeyOwners {
  readonly store: KnownKeys["store"];
  readonly #keys: KnownKeys;
  readonly #caller: string;
  readonly #endpoints: readonly LiveEndpoint[];
  readonly #pods: readonly string[];

  /** `caller`: this workload's SPIFFE id. */
  constructor(keys: KnownKeys, caller: string, endpoints: readonly LiveEndpoint[]) {
    this.store = keys.store;
    this.#keys = keys;
    this.#caller = caller;
    this.#endpoints = endpoints;
    this.#pods = endpoints.map(({ endpoint }) => endpoint.pod);
  }

  /** Undefined: the target does not recognise the request by a key. */
  keyOf({ method, headers, upgrade }: Exchange): string | undefined {
    return upgrade === undefined ? knownKeyIn(this.#keys, method, headers) : undefined;
  }

  /** Undefined: there are no endpoints. */
  ownerOf(key: string): LiveEndpoint | undefined {
    return this.#endpoints[ownerOfKey(this.#caller, key, this.#pods)];
  }
}

/** The endpoints that were sent the last keys of a backend. It outlives updates. */
export class FormerOwners {
  /** The owner of each key, the least recently used key first. */
  readonly #owners = new Map<string, LiveEndpoint>();

  has(key: string): boolean {
    return this.#owners.has(key);
  }

  of(key: string): LiveEndpoint | undefined {
    return this.#owners.get(key);
  }

  keep(key: string, owner: LiveEndpoint): void {
    this.#owners.delete(key);
    this.#owners.set(key, owner);
    if (this.#owners.size <= rememberedKeys) return;
    for (const oldest of this.#owners.keys()) return void this.#owners.delete(oldest);
  }

  /** After an update: an endpoint that is gone knows no key any more. */
  retain(endpoints: ReadonlySet<LiveEndpoint>): void {
    for (const [key, owner] of this.#owners) if (!endpoints.has(owner)) this.#owners.delete(key);
  }
}
