/**
 * Follows one kind of object in the API server: lists it, then watches from the list's version. It handles the connection's
 * problems, and knows nothing of the objects' meaning.
 *
 * ```
 *              ┌──── fails: wait longer each time, or as long as the server says ────┐
 *              ▼                                                                     │
 *   start ─▶ list ───────────────▶ watch ── closed, broken, silent ──▶ watch from the last version
 *              ▲ │ 404             │
 *              │ └─▶ not served ─▶ list, once its group is served (`unserved-groups.ts`)
 *              └──── version gone (410), or an error in the stream ◀── watch
 * ```
 *
 * What is known stays until a complete new list says otherwise. A watch that silently stops is noticed, because the server
 * sends bookmarks about once a minute (https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks).
 */

import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelayMs } from "../../../model/backoff.ts";
import type { Random } from "../../../model/clock.ts";
import { reasonOf } from "../../../system/log.ts";
import { type ApiAnswer, type ClusterApi, describeAnswer, SilentWatch } from "../../kubernetes/cluster-api.ts";
import { isRecord } from "../kube-object.ts";
import { UnservedGroups } from "./unserved-groups.ts";
import { pathOf, type WatchedKind } from "./watched-kinds.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface ReflectorEvents {
  /**
   * All objects in the API server, or an empty list if `onPage` took them. `served` is false if the server does not know the
   * kind.
   */
  readonly onList: (objects: readonly Fields[], served: boolean) => void;
  /**
   * Takes a list page by page, so that it is never held whole. `first`: a new list begins, and what came of an earlier one is
   * void.
   */
  readonly onPage?: (objects: readonly Fields[], first: boolean) => void;
  readonly onChange: (object: Fields) => void;
  readonly onDelete: (object: Fields) => void;
  /** Why the kind can't be followed now; undefined: it is followed again. */
  readonly onTrouble: (reason: string | undefined) => void;
}

export interface ReflectorOptions extends ReflectorEvents {
  readonly api: ClusterApi;
  readonly kind: WatchedKind;
  /** Limits it to a namespace, or to objects of one name; absent: all. */
  readonly scope?: { readonly namespace?: string; readonly name?: string };
  /** Returns the part of each object that is kept; applied page by page. */
  readonly strip?: (object: Fields) => Fields;
  readonly signal: AbortSignal;
  readonly random: Random;
  readonly timing?: Partial<ReflectorTiming>;
  /** Polls for kinds that are not served; may be shared by several reflectors. Default: one for this reflector alone. */
  readonly unserved?: UnservedGroups;
}

export interface ReflectorTiming {
  /** The time between two looks for a kind that is not served, up to half as much again. */
  readonly unservedMs: number;
  /** A watch without a byte for this long is dead: one and a half times the time between two bookmarks. */
  readonly silenceMs: number;
  /** The time limit for one page of a list. */
  readonly listMs: number;
  readonly firstBackoffMs: number;
  readonly longestBackoffMs: number;
}

export const defaultReflectorTiming: ReflectorTiming = {
  unservedMs: 2_000,
  silenceMs: 90_000,
  listMs: 60_000,
  firstBackoffMs: 200,
  longestBackoffMs: 10_000,
};

const pageSize = "500";
/** The server ends a watch by itself after this long, or up to twice as long. */
const watchSeconds = 300;
/** A starting server does not serve resource definitions at once, so it is asked again soon, this many times. */
const unservedTries = 6;
/** A watch that ends sooner than this, without an event, counts as failed. */
const shortWatchMs = 1_000;

/** What to do next. */
type Step = { readonly kind: "list" } | { readonly kind: "watch"; readonly version: string };

const relist: Step = { kind: "list" };

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #timing: ReflectorTiming;
  readonly #unserved: UnservedGroups;
  /** Failures in a row. */
  #failures = 0;
  /** The index of the served version among the kind's versions. */
  #versionIndex = 0;
  #heard = false;
  #wasServed = false;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#timing = { ...defaultReflectorTiming, ...options.timing };
    this.#unserved = options.unserved ?? new UnservedGroups({ ...options, everyMs: this.#timing.unservedMs });
  }

  /** Resolves when `signal` aborts. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    let step: Step = relist;
    while (!signal.aborted) {
      try {
        step = step.kind === "list" ? await this.#list() : await this.#watch(step.version);
      } catch (error) {
        if (signal.aborted) return;
        await this.#backOff(reasonOf(error), undefined);
      }
    }
  }

  async #list(): Promise<Step> {
    const { kind, strip = asIs, onList, onPage } = this.#options;
    const objects: Fields[] = [];
    let count = 0;
    let next: string | undefined;
    let version = "";
    do {
      const answer = await this.#page(next);
      if (answer.status === 404) return this.#lookElsewhere();
      if (answer.status !== 200) return this.#refused(answer, relist);
      const { items, metadata } = asRecord(answer.body);
      const { resourceVersion, continue: more } = asRecord(metadata);
      if (!Array.isArray(items) || typeof resourceVersion !== "string") throw new Error("an answer that is no list");
      const page = items.map((item) => strip(asRecord(item)));
      if (onPage === undefined) objects.push(...page);
      else onPage(page, count === 0);
      count += page.length;
      version = resourceVersion;
      next = typeof more === "string" && more !== "" ? more : undefined;
    } while (next !== undefined);
    if (count === 0 && kind.empty === "never")
      throw new Error(`the API server has no ${kind.plural} at all, not even its own`);
    this.#wasServed = true;
    onList(objects, true);
    this.#recovered();
    return { kind: "watch", version };
  }

  #page(next: string | undefined): Promise<ApiAnswer> {
    const { api, signal } = this.#options;
    const query = { ...this.#selector, limit: pageSize, ...(next !== undefined && { continue: next }) };
    return api.request({ path: this.#path, query, timeoutMs: this.#timing.listMs, signal });
  }

  /**
   * This version of the kind is not served: tries the next one, and after the last the first again, once there may be more to
   * find.
   */
  async #lookElsewhere(): Promise<Step> {
    const { kind, onList, onPage } = this.#options;
    this.#versionIndex++;
    if (this.#versionIndex < kind.versions.length) return relist;
    this.#versionIndex = 0;
    if (kind.empty !== "uninstalled" || (this.#wasServed && this.#failures < unservedTries))
      throw new Error(`the API server does not serve ${kind.plural}`);
    this.#wasServed = false;
    onPage?.([], true);
    onList([], false);
    this.#recovered();
    await this.#unserved.appears(kind.group);
    return relist;
  }

  async #watch(version: string): Promise<Step> {
    const { api, signal, random } = this.#options;
    const startMs = performance.now();
    let last = version;
    let expired = false;
    this.#heard = false;
    const ended = await api
      .watch({
        path: this.#path,
        query: {
          ...this.#selector,
          resourceVersion: version,
          allowWatchBookmarks: "true",
          timeoutSeconds: String(Math.round(watchSeconds * (1 + random()))),
        },
        silenceMs: this.#timing.silenceMs,
        signal,
        onOpen: () => this.#options.onTrouble(undefined),
        onEvent: (event) => {
          const now = this.#take(event);
          if (now === undefined) expired = true;
          else last = now;
        },
      })
      .catch((error: unknown) => new BrokenWatch(error));
    if (signal.aborted) return relist;
    const next: Step = expired ? relist : { kind: "watch", version: last };
    // Spread out, because other watches expired at the same moment.
    if (expired) await this.#wait(this.#timing.firstBackoffMs * random());
    if (ended instanceof BrokenWatch) await this.#backOff(ended.reason, undefined, ended.wasSilent);
    else if (ended !== undefined) return this.#refused(ended, next);
    else if (!this.#heard && performance.now() - startMs < shortWatchMs)
      await this.#backOff("the watch ends at once", undefined);
    return next;
  }

  /** Returns the version to continue from; undefined: the server has expired it, and everything must be listed again. */
  #take(event: unknown): string | undefined {
    const { type, object } = asRecord(event);
    const fields = asRecord(object);
    if (type === "ERROR") return undefined;
    const { onChange, onDelete, strip = asIs } = this.#options;
    if (type === "ADDED" || type === "MODIFIED") onChange(strip(fields));
    else if (type === "DELETED") onDelete(strip(fields));
    this.#failures = 0;
    this.#heard = true;
    return String(asRecord(fields["metadata"])["resourceVersion"]);
  }

  async #refused(answer: ApiAnswer, next: Step): Promise<Step> {
    // A version that is gone can neither be watched nor continue a list.
    if (answer.status === 410) return relist;
    await this.#backOff(describeAnswer(answer), answer.retryAfterMs);
    return answer.status === 429 || answer.status >= 500 ? next : relist;
  }

  #recovered(): void {
    this.#failures = 0;
    this.#options.onTrouble(undefined);
  }

  /** A single broken watch is not worth reporting, unless it was silent: then events may have been missed. */
  async #backOff(reason: string, minMs: number | undefined, wasSilent = false): Promise<void> {
    this.#failures++;
    if (this.#failures > 1 || wasSilent) this.#options.onTrouble(reason);
    const { firstBackoffMs: initialDelayMs, longestBackoffMs: maxDelayMs } = this.#timing;
    const pace = { initialDelayMs, maxDelayMs, backoffMultiplier: 2, jitter: 0.5 };
    const delayMs = backoffDelayMs(pace, this.#failures, this.#options.random);
    await this.#wait(Math.max(delayMs, Math.min(minMs ?? 0, maxDelayMs)));
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#options.signal, ref: false }).catch(() => undefined);
  }

  get #path(): string {
    const { kind, scope = {} } = this.#options;
    return pathOf(kind, kind.versions[this.#versionIndex] ?? "", scope.namespace);
  }

  get #selector(): Record<string, string> {
    const { name } = this.#options.scope ?? {};
    return name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
  }
}

class BrokenWatch {
  readonly reason: string;
  readonly wasSilent: boolean;

  constructor(error: unknown) {
    this.reason = reasonOf(error);
    this.wasSilent = error instanceof SilentWatch;
  }
}

function asIs(object: Fields): Fields {
  return object;
}

function asRecord(value: unknown): Fields {
  if (!isRecord(value)) throw new Error("an answer that is no object");
  return value;
}
