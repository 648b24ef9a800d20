/**
 * One name that this sidecar has subscribed to: what is in force for it, and how news about it changes that.
 *
 * ```
 *   unknown ──resource──▶ present ◀──resource── absent
 *      │                     └─────believed gone──▶▲
 *      └──────────────────────────believed gone────┘
 * ```
 *
 * A resource that can't be applied changes nothing: the last good one stays in force.
 */

import type { Resource, ResourceKind } from "../../model/resources.ts";

/** Puts a value and its version in force; undefined: there is no such resource. Returns the reason if it can't be applied. */
export type Apply = (resource: Resource | undefined, version: string | undefined) => string | undefined;

export interface GoodResource {
  readonly resource: Resource;
  readonly version: string;
}

export type HeldState =
  | { readonly kind: "unknown" }
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly good: GoodResource };

export class HeldResource {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly #appliers = new Set<Apply>();
  #state: HeldState;

  constructor(kind: ResourceKind, name: string, kept: GoodResource | undefined) {
    this.kind = kind;
    this.name = name;
    this.#state = kept === undefined ? { kind: "unknown" } : { kind: "present", good: kept };
  }

  get state(): HeldState {
    return this.#state;
  }

  /** The value in force. */
  get good(): GoodResource | undefined {
    return this.#state.kind === "present" ? this.#state.good : undefined;
  }

  get wanted(): boolean {
    return this.#appliers.size > 0;
  }

  /** Applies what is already known at once. Returns the reason if that can't be applied. */
  add(apply: Apply): string | undefined {
    const isFirst = this.#appliers.size === 0;
    this.#appliers.add(apply);
    if (this.#state.kind === "unknown") return undefined;
    const reason = applySafely(apply, this.good);
    // Then it is in force nowhere, and must be requested again.
    if (reason !== undefined && isFirst) this.#state = { kind: "unknown" };
    return reason;
  }

  remove(apply: Apply): void {
    this.#appliers.delete(apply);
  }

  /** Returns undefined if it is in force, else why not; then nothing has changed. */
  offer(good: GoodResource): string | undefined {
    if (this.good?.version === good.version) return undefined;
    const took: Apply[] = [];
    for (const apply of this.#appliers) {
      const reason = applySafely(apply, good);
      if (reason !== undefined) {
        if (this.#state.kind !== "unknown") for (const undo of took) applySafely(undo, this.good);
        return reason;
      }
      took.push(apply);
    }
    this.#state = { kind: "present", good };
    return undefined;
  }

  believeGone(): void {
    if (this.#state.kind === "absent") return;
    this.#state = { kind: "absent" };
    for (const apply of this.#appliers) applySafely(apply, undefined);
  }
}

/** A bug in an applier must affect one resource, not the whole sidecar. */
function applySafely(apply: Apply, good: GoodResource | undefined): string | undefined {
  try {
    return apply(good?.resource, good?.version);
  } catch (error) {
    return error instanceof Error ? `internal error: ${error.message}` : "internal error";
  }
}
