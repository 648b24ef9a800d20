/**
 * Requests that wait for their turn where every endpoint is full: first come, first served, and never more than
 * `maxPendingRequests`. Who goes where is its owner's decision; it is asked again whenever something may have changed.
 */

import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";

export class WaitingLine {
  readonly #admitFirst: (first: HeldRequest) => boolean;
  #held: HeldRequest[] = [];
  #advancing = false;

  /** `admitFirst` sends on or refuses who is first, or returns false: not yet. */
  constructor(admitFirst: (first: HeldRequest) => boolean) {
    this.#admitFirst = admitFirst;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** Those whose callers still wait. */
  get length(): number {
    return this.#held.reduce((count, { gone }) => (gone ? count : count + 1), 0);
  }

  /** Undefined: as many wait as may. */
  join(exchange: Exchange, response: ResponseSink, most: number): RequestSink | undefined {
    if (this.#held.length >= most) this.#held = this.#held.filter(({ gone }) => !gone);
    if (this.#held.length >= most) return undefined;
    const held = new HeldRequest(exchange, response);
    this.#held.push(held);
    return held;
  }

  /**
   * Lets in who can be, once the call that freed a place has returned: by then a codec has its connection back, and the
   * next request can have it.
   */
  advanceSoon(): void {
    if (this.isEmpty || this.#advancing) return;
    this.#advancing = true;
    queueMicrotask(this.#advance);
  }

  readonly #advance = (): void => {
    this.#advancing = false;
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      if (!first.gone && !this.#admitFirst(first)) return;
      this.#held.shift();
    }
  };
}
