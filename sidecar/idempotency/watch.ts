/** Follows a key that another sidecar is processing, for repeats that wait here. It polls, less and less often. */

import { MeshError } from "../../model/errors.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import type { InFlight } from "./in-flight.ts";
import type { ClaimState, Poll } from "./record-store.ts";

const firstPollMs = 20;
const maxPollMs = 250;

export class Watch extends Timer {
  readonly #inFlight: InFlight;
  readonly #poll: Poll;
  readonly #wheel: TimerWheel;
  readonly #over: () => void;
  #delayMs = firstPollMs;
  #stopped = false;

  /** `over`: called once, just before the repeats are resolved. */
  constructor(inFlight: InFlight, poll: Poll, wheel: TimerWheel, over: () => void) {
    super();
    this.#inFlight = inFlight;
    this.#poll = poll;
    this.#wheel = wheel;
    this.#over = over;
  }

  start(): void {
    this.#wheel.arm(this, this.#delayMs);
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#stopped = true;
    this.#wheel.clear(this);
  }

  override expire(): void {
    this.#poll((state) => this.#react(state));
  }

  /** A store that does not answer now may do so before the repeats give up. */
  #react(state: ClaimState): void {
    if (this.#stopped) return;
    switch (state.kind) {
      case "in-flight":
      case "unavailable":
        this.#delayMs = Math.min(this.#delayMs * 2, maxPollMs);
        return this.#wheel.arm(this, this.#delayMs);
      case "recorded":
        this.#over();
        return this.#inFlight.settle({ kind: "answered", record: state.record });
      case "nothing":
        this.#over();
        return this.#inFlight.settle({
          kind: "failed",
          error: new MeshError("upstream_reset", "the request that it repeats failed"),
        });
    }
  }
}
