/**
 * One key whose request is being processed, and the repeats that have arrived meanwhile. Whoever processes the request
 * settles the key, and all repeats are then told.
 */

import type { MeshError } from "../../model/errors.ts";
import type { KeyRecord } from "./answer.ts";

export type Outcome =
  | { readonly kind: "answered"; readonly record: KeyRecord }
  /** There was no answer. */
  | { readonly kind: "failed"; readonly error: MeshError };

/** A request whose key was known when it arrived. */
export interface Waiting {
  /** The fingerprint of the whole request; undefined while its body is still arriving. */
  readonly fingerprint: string | undefined;
  resolve(outcome: Outcome): void;
  /** It is a different request from the one that the key was used for. */
  refuseReusedKey(): void;
}

export class InFlight {
  readonly name: string;
  /**
   * The fingerprint of the request being processed; undefined while its body is still arriving, or if another sidecar processes
   * it.
   */
  #fingerprint: string | undefined;
  readonly #repeats = new Set<Waiting>();
  #outcome: Outcome | undefined;
  /** Called when the last repeat has left. */
  onAlone: (() => void) | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get settled(): boolean {
    return this.#outcome !== undefined;
  }

  get repeats(): number {
    return this.#repeats.size;
  }

  /** The whole request is known: repeats that differ from it need not wait. */
  identify(fingerprint: string): void {
    this.#fingerprint = fingerprint;
    for (const repeat of this.#repeats) {
      if (repeat.fingerprint !== undefined && repeat.fingerprint !== fingerprint) repeat.refuseReusedKey();
    }
  }

  enter(repeat: Waiting): void {
    this.#repeats.add(repeat);
  }

  leave(repeat: Waiting): void {
    if (this.#repeats.delete(repeat) && this.#repeats.size === 0) this.onAlone?.();
  }

  /** A repeat has its fingerprint: it is resolved at once if the outcome is known already. */
  ready(repeat: Waiting): void {
    if (this.#outcome !== undefined) repeat.resolve(this.#outcome);
    else if (this.#fingerprint !== undefined && this.#fingerprint !== repeat.fingerprint) repeat.refuseReusedKey();
  }

  /** Call it once. Repeats whose body is still arriving are resolved when it has ended. */
  settle(outcome: Outcome): void {
    this.#outcome = outcome;
    for (const repeat of this.#repeats) if (repeat.fingerprint !== undefined) repeat.resolve(outcome);
  }
}
