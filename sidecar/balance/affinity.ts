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

  /** The endpoint of the last request, unless that was longer ago than a session lasts. */
  current(lastsMs: number): LiveEndpoint | undefined {
    return this.#clock.now() - this.#usedAtMs < lastsMs ? this.#endpoint : undefined;
  }

  /** A request goes to this endpoint: the session begins, or continues. */
  keep(endpoint: LiveEndpoint): void {
    this.#endpoint = endpoint;
    this.#usedAtMs = this.#clock.now();
  }

  /** After an update: an endpoint that is gone has no session any more. */
  retain(endpoints: readonly LiveEndpoint[]): void {
    if (this.#endpoint !== undefined && !endpoints.includes(this.#endpoint)) this.#endpoint = undefined;
  }
}
