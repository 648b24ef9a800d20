/**
 * Polls for API groups that the server does not know yet, once for all kinds that wait for the same group. A look is a 404 on a
 * path that everybody may read (`system:discovery`), so it needs neither the right to read definitions nor a watch of them.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../model/clock.ts";
import type { ClusterApi } from "../../kubernetes/cluster-api.ts";

export interface UnservedGroupsOptions {
  readonly api: Pick<ClusterApi, "request">;
  /** The time between two looks, up to half as much again. */
  readonly everyMs: number;
  readonly random: Random;
  /** Ends all polling. */
  readonly signal: AbortSignal;
}

export class UnservedGroups {
  readonly #options: UnservedGroupsOptions;
  readonly #looking = new Map<string, Promise<void>>();

  constructor(options: UnservedGroupsOptions) {
    this.#options = options;
  }

  /** Resolves, after at least one pause, once it is worth asking for a kind of this group again. Never rejects. */
  appears(group: string): Promise<void> {
    const known = this.#looking.get(group);
    if (known !== undefined) return known;
    const looking = this.#look(group).finally(() => this.#looking.delete(group));
    this.#looking.set(group, looking);
    return looking;
  }

  async #look(group: string): Promise<void> {
    const { everyMs, random, signal } = this.#options;
    do {
      await sleep(everyMs * (1 + random() / 2), undefined, { signal, ref: false }).catch(() => undefined);
    } while (!signal.aborted && (await this.#isUnserved(group)));
  }

  /** Any other error counts as served: the kinds' own lists will meet it too, and report it. */
  async #isUnserved(group: string): Promise<boolean> {
    const { api, signal } = this.#options;
    try {
      return (await api.request({ path: `/apis/${group}`, signal })).status === 404;
    } catch {
      return false;
    }
  }
}
