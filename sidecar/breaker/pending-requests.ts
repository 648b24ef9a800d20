/**
 * Requests that wait because every endpoint is full: first come, first served, and never more than `maxPendingRequests`. Its
 * owner decides where each goes, and is asked again whenever something may have changed.
 */

import type { Exchange, RequestSink, ResponseSink } from "../net/exchange.ts";
import { HeldRequest } from "../net/held-request.ts";

export class PendingRequests {
  readonly #admitFirst: (first: HeldRequest) => boolean;
  #held: HeldRequest[] = [];
  #advancing = false;

  /** `admitFirst` forwards or refuses the first request, or returns false if it must wait on. */
  constructor(admitFirst: (first: HeldRequest) => boolean) {
    this.#admitFirst = admitFirst;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** How many requests wait whose callers are still there. */
  get length(): number {
    return this.#held.reduce((count, { gone }) => (gone ? count : count + 1), 0);
  }

  /** Undefined: too many wait already. */
  join(exchange: Exchange, response: ResponseSink, most: number): RequestSink | undefined {
    if (this.#held.length >= most) this.#held = this.#held.filter(({ gone }) => !gone);
    if (this.#held.length >= most) return undefined;
    const held = new HeldRequest(exchange, response);
    this.#held.push(held);
    return held;
  }

  /**
   * Admits as many as possible, once the call that freed a place has returned: by then a codec has its connection back, and the
   * next request can use it.
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
