/**
 * Looks now and then whether an API group that the server does not know has appeared: one look for all kinds that wait for it. A
 * look is a 404 on what everybody may read (`system:discovery`), so it needs no right to read definitions, and no watch of them.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../model/clock.ts";
import type { ClusterApi } from "../../kubernetes/cluster-api.ts";

export interface UnservedGroupsOptions {
  readonly api: Pick<ClusterApi, "request">;
  /** Between two looks, or up to half as much again. */
  readonly everyMs: number;
  readonly random: Random;
  /** Ends all looking. */
  readonly signal: AbortSignal;
}

export class UnservedGroups {
  readonly #options: UnservedGroupsOptions;
  readonly #looking = new Map<string, Promise<void>>();

  constructor(options: UnservedGroupsOptions) {
    this.#options = options;
  }

  /** Resolves, after one pause at least, once it is worth asking for a kind of this group again. Never rejects. */
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

  /** Whatever else goes wrong here, the kinds' own lists will meet too, and tell. */
  async #isUnserved(group: string): Promise<boolean> {
    const { api, signal } = this.#options;
    try {
      return (await api.request({ path: `/apis/${group}`, signal })).status === 404;
    } catch {
      return false;
    }
  }
}
