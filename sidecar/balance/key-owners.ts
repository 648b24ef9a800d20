/**
 * Where requests with an `Idempotency-Key` go whose target knows them by it. Where each pod remembers by itself, a key belongs to
 * one of them, the same for all sidecars of the calling workload, wherever these run; else to whoever is free. A snapshot.
 */

import { keyIn, ownerOfKey } from "../../model/idempotency.ts";
import type { KnownKeys } from "../../model/resources.ts";
import type { Exchange } from "../net/exchange.ts";
import type { LiveEndpoint } from "./live-endpoint.ts";

export class KeyOwners {
  readonly store: KnownKeys["store"];
  readonly #methods: readonly string[];
  readonly #caller: string;
  readonly #endpoints: readonly LiveEndpoint[];
  readonly #pods: readonly string[];

  /** `caller`: this workload's SPIFFE id. */
  constructor({ methods, store }: KnownKeys, caller: string, endpoints: readonly LiveEndpoint[]) {
    this.store = store;
    this.#methods = methods;
    this.#caller = caller;
    this.#endpoints = endpoints;
    this.#pods = endpoints.map(({ endpoint }) => endpoint.pod);
  }

  /** Undefined: the target does not know the request by a key. */
  keyOf({ method, headers, upgrade }: Exchange): string | undefined {
    if (upgrade !== undefined || !this.#methods.includes(method)) return undefined;
    return keyIn(headers);
  }

  /** Undefined: there are no endpoints. */
  ownerOf(key: string): LiveEndpoint | undefined {
    return this.#endpoints[ownerOfKey(this.#caller, key, this.#pods)];
  }
}
