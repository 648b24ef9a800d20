/**
 * Replaces the mesh's root step by step, on request. It decides when a step may be taken: only by the leading replica,
 * conditional on the version it has read, and once everyone has completed the previous step for `settleMs` without interruption.
 * `rotation.ts` defines what a step changes, and the store keeps the result.
 *
 * It has no state besides what is stored: another process can continue at any point, but restarts the wait before it takes a
 * step. So does a replica that leads again, because a sidecar moving from one replica to another is invisible for a few seconds.
 */

import type { Clock } from "../../model/clock.ts";
import { assertNever } from "../../model/result.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { type Census, type Lack, lacksOf, shortId } from "./census.ts";
import { rootId } from "./certificate-fields.ts";
import type { IssuerPems } from "./issuer.ts";
import { begin, finish, type KeptSigner, type SignerPems, switchOver, whyNotRotatable } from "./rotation.ts";

export interface SignerStore {
  /**
   * Writes over the version that was read, and removes the request. False: it has changed since. Rejects if it can't be written.
   */
  replace(over: KeptSigner, pems: SignerPems): Promise<boolean>;
}

export interface RotationOptions {
  readonly store: SignerStore;
  readonly census: () => Census;
  /** At most one replica leads at a time. If two believe they do, the store lets one of them write. */
  readonly leads: () => boolean;
  readonly settleMs: number;
  readonly clock: Clock;
  readonly makeRoot: () => IssuerPems;
  readonly log: Log;
}

export interface RotationProgress {
  readonly phase: "settled" | "spreading" | "reissuing";
  /** A rotation is requested and has not begun. */
  readonly asked: boolean;
  /** What is missing for the next step. */
  readonly lacks: readonly Lack[];
}

/** How often a waiting rotation logs what it is waiting for. */
const logEveryMs = 60_000;
const loggedLacks = 10;

export class RootRotation {
  readonly #options: RotationOptions;
  #kept: KeptSigner;
  /** Since when everyone has had what this version requires. */
  #calm: { readonly version: string; readonly sinceMs: number } | undefined;
  /** The version over which a step was taken. The store reports the result. */
  #replaced: string | undefined;
  #loggedAtMs: number;

  constructor(kept: KeptSigner, options: RotationOptions) {
    this.#kept = kept;
    this.#options = options;
    this.#loggedAtMs = options.clock.now();
  }

  get kept(): KeptSigner {
    return this.#kept;
  }

  /** Takes over a change of the stored signer. */
  take(kept: KeptSigner): void {
    this.#kept = kept;
  }

  progress(): RotationProgress {
    const { rotation, issuer, request } = this.#kept;
    const asked = rotation.kind === "settled" && request !== undefined;
    return { phase: rotation.kind, asked, lacks: lacksOf(issuer, this.#options.census()) };
  }

  /** Takes the next step, if it is due. Called periodically. Never rejects: the next call tries again. */
  async step(): Promise<void> {
    const kept = this.#kept;
    if (!this.#options.leads()) {
      this.#calm = undefined;
      return;
    }
    if (this.#replaced === kept.version) return;
    const next = this.#next(kept);
    if (next === undefined) return;
    try {
      if (await this.#options.store.replace(kept, next.pems)) this.#options.log("info", next.says, next.fields);
      this.#replaced = kept.version;
    } catch (error) {
      this.#options.log("warn", "root rotation can't go on", { reason: reasonOf(error) });
    }
  }

  #next(kept: KeptSigner): { pems: SignerPems; says: string; fields: Record<string, string> } | undefined {
    const { rotation, pems, issuer, request } = kept;
    switch (rotation.kind) {
      case "settled":
        return request === undefined ? undefined : this.#answer(kept, request);
      case "spreading":
        if (!this.#isTime(kept)) return undefined;
        return { pems: switchOver(pems), says: "new root signs", fields: { root: rootId(rotation.next) } };
      case "reissuing":
        if (!this.#isTime(kept)) return undefined;
        return {
          pems: finish(pems),
          says: "former root dropped",
          fields: { root: rootId(issuer.certificate), dropped: rootId(rotation.former) },
        };
      default:
        return assertNever(rotation);
    }
  }

  /** A request names the root to be replaced; if that root is gone already, the request is done. */
  #answer(kept: KeptSigner, request: string) {
    const { pems, issuer } = kept;
    const refusal = whyNotRotatable(kept);
    if (refusal !== undefined) return { pems, says: "root rotation refused", fields: { reason: refusal } };
    const root = rootId(issuer.certificate);
    if (request !== root) return { pems, says: "root rotation not needed", fields: { root, asked: shortId(request) } };
    const next = this.#options.makeRoot();
    return { pems: begin(pems, next), says: "root rotation begun", fields: { root } };
  }

  #isTime({ issuer, version, rotation }: KeptSigner): boolean {
    const { census, clock, settleMs, log } = this.#options;
    const nowMs = clock.now();
    const lacks = lacksOf(issuer, census());
    if (lacks.length > 0) {
      this.#calm = undefined;
      if (nowMs - this.#loggedAtMs < logEveryMs) return false;
      this.#loggedAtMs = nowMs;
      const named = lacks.slice(0, loggedLacks).map(({ who, why }) => `${who} ${why}`);
      log("warn", "root rotation waits", { phase: rotation.kind, lacks: lacks.length, named });
      return false;
    }
    if (this.#calm?.version !== version) this.#calm = { version, sinceMs: nowMs };
    return nowMs - this.#calm.sinceMs >= settleMs;
  }
}
