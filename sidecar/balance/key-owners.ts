/**
 * Where requests with an `Idempotency-Key` go whose target knows them by it. Where each pod remembers by itself, a key belongs to
 * one of them, the same for all sidecars of the calling workload, wherever these run; else to whoever is free.
 *
 * Pods and weights change, and with them whose a key is. Whoever has had it knows it, so this sidecar remembers who had the
 * last ones: what is asked for again after a scale-up goes where it went before.
 */

import { knownKeyIn, ownerOfKey } from "../../model/idempotency.ts";
import type { KnownKeys } from "../../model/resources.ts";
import type { Exchange } from "../net/exchange.ts";
import type { LiveEndpoint } from "./live-endpoint.ts";

/** Of one backend. 100 requests a second are remembered for over a minute. */
const rememberedKeys = 10_000;

/** A snapshot: other endpoints are others' keys. */
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

  /** Undefined: the target does not know the request by a key. */
  keyOf({ method, headers, upgrade }: Exchange): string | undefined {
    return upgrade === undefined ? knownKeyIn(this.#keys, method, headers) : undefined;
  }

  /** Undefined: there are no endpoints. */
  ownerOf(key: string): LiveEndpoint | undefined {
    return this.#endpoints[ownerOfKey(this.#caller, key, this.#pods)];
  }
}

/** Who was asked for the last keys of a backend. It outlives updates. */
export class FormerOwners {
  /** By key, the one that was used longest ago first. */
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

  /** After an update: who is gone knows nothing any more. */
  retain(endpoints: ReadonlySet<LiveEndpoint>): void {
    for (const [key, owner] of this.#owners) if (!endpoints.has(owner)) this.#owners.delete(key);
  }
}
