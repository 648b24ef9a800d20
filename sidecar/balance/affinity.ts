/**
 * Keeps this pod at one endpoint of a backend, as `sessionAffinity: ClientIP` asks: a session belongs to a client address,
 * and all that comes to this sidecar comes from one pod. It remembers; who is picked first is the picker's business.
 */

import type { Clock } from "../../model/clock.ts";
import type { LiveEndpoint } from "./live-endpoint.ts";

export class Affinity {
  readonly #clock: Clock;
  #endpoint: LiveEndpoint | undefined;
  #usedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where the last request went, unless that is longer ago than the session lasts. */
  current(lastsMs: number): LiveEndpoint | undefined {
    return this.#clock.now() - this.#usedAtMs < lastsMs ? this.#endpoint : undefined;
  }

  /** A request goes there: the session begins, or goes on. */
  keep(endpoint: LiveEndpoint): void {
    this.#endpoint = endpoint;
    this.#usedAtMs = this.#clock.now();
  }

  /** After an update: who is gone has no sessions. */
  retain(endpoints: readonly LiveEndpoint[]): void {
    if (this.#endpoint !== undefined && !endpoints.includes(this.#endpoint)) this.#endpoint = undefined;
  }
}
