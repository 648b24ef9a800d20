/**
 * A cluster as a source: its reflectors' events, gathered into `SourceChange`s. The first change has everything, once
 * every kind has been listed; after that a change is handed on at once, and those that follow within 10 to 50 ms together.
 *
 * It does not trust an API server that suddenly knows nothing: if a whole kind vanishes between two lists, its objects are kept
 * for a while. What a watch reports as deleted is removed at once. A write to an object's status alone is not a change: the
 * control plane itself writes statuses, and they must delay neither the author's next change nor another round of statuses.
 */

import { createHash } from "node:crypto";
import type { Random } from "../../../model/clock.ts";
import type { Log } from "../../../system/log.ts";
import type { ClusterApi } from "../../kubernetes/cluster-api.ts";
import { isRecord, type KubeObject, type ObjectKey, readObject } from "../kube-object.ts";
import { compareProblems, type Problem } from "../problem.ts";
import type { SourceChange } from "../source.ts";
import { defaultReflectorTiming, Reflector, type ReflectorTiming } from "./reflector.ts";
import { strip } from "./strip.ts";
import { UnservedGroups } from "./unserved-groups.ts";
import { type WatchedKind, watchedKinds } from "./watched-kinds.ts";

export interface ClusterSourceOptions {
  readonly api: ClusterApi;
  readonly onChange: (change: SourceChange) => void;
  readonly log: Log;
  /** Ends all watches. */
  readonly signal: AbortSignal;
  readonly random?: Random;
  readonly timing?: Partial<ClusterTiming>;
}

export interface ClusterTiming extends ReflectorTiming {
  /** How long objects are kept when the API server suddenly has none of their kind. */
  readonly graceMs: number;
}

const defaultGraceMs = 60_000;
const firstWindowMs = 10;
/** While changes keep coming, each window is twice as long as the one before. */
const longestWindowMs = 50;
/** The most to hand on in one go: others get their turn in between. */
const maxObjects = 1_000;

/** Resolves once the first state is handed on, which takes as long as the API server does not answer. */
export function watchCluster(options: ClusterSourceOptions): Promise<void> {
  const source = new ClusterSource(options);
  return source.start();
}

/** The state of one kind. */
interface Followed {
  readonly kind: WatchedKind;
  readonly keys: Set<ObjectKey>;
  /** For kinds whose status is ours: a hash of each object's last content. */
  readonly digests: Map<ObjectKey, string>;
  /** While a list is arriving: the known objects that it has not contained so far. */
  unlisted: Set<ObjectKey>;
  /** The number of objects in the list that is arriving, or that arrived last. */
  listedCount: number;
  /** Objects that were absent from a list but are not believed gone yet, with the timer of their grace. */
  readonly missing: Map<ObjectKey, NodeJS.Timeout>;
  /** The problems of objects that can't be read, by the objects' names. */
  readonly malformed: Map<string, readonly Problem[]>;
  /** The list that is arriving has cleared earlier problems. */
  cleared: boolean;
  listed: boolean;
  trouble: string | undefined;
}

class ClusterSource {
  readonly #options: ClusterSourceOptions;
  readonly #followed: readonly Followed[];
  readonly #pending = new Map<ObjectKey, KubeObject | undefined>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /**
   * `starting`: not everything is listed yet; `closed`: the next news goes out at once; `open`: it goes out when the window
   * ends.
   */
  #window: "starting" | "closed" | "due" | "open" = "starting";
  #windowMs = firstWindowMs;
  #troubleChanged = false;
  #onStarted: () => void = () => {};

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
    this.#followed = watchedKinds.map((kind) => ({
      kind,
      keys: new Set(),
      digests: new Map(),
      unlisted: new Set(),
      listedCount: 0,
      missing: new Map(),
      malformed: new Map(),
      cleared: false,
      listed: false,
      trouble: undefined,
    }));
  }

  async start(): Promise<void> {
    const { api, signal, random = Math.random, timing = {} } = this.#options;
    signal.throwIfAborted();
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    const started = new Promise<void>((resolve, reject) => {
      this.#onStarted = resolve;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const { unservedMs: everyMs = defaultReflectorTiming.unservedMs } = timing;
    const unserved = new UnservedGroups({ api, everyMs, random, signal });
    for (const followed of this.#followed) {
      const { kind } = followed;
      const reflector = new Reflector({
        api,
        kind,
        signal,
        random,
        timing,
        unserved,
        strip: (object) => strip(kind.kind, object),
        onPage: (objects, first) => this.#takePage(followed, objects, first),
        onList: () => this.#endList(followed),
        onChange: (object) => this.#put(followed, object),
        onDelete: (object) => this.#drop(followed, object),
        onTrouble: (reason) => this.#trouble(followed, reason),
      });
      void reflector.run();
    }
    await started;
  }

  #takePage(followed: Followed, objects: readonly Readonly<Record<string, unknown>>[], first: boolean): void {
    if (first) {
      followed.cleared ||= followed.malformed.size > 0;
      followed.malformed.clear();
      followed.unlisted = new Set(followed.keys);
      followed.listedCount = 0;
    }
    followed.listedCount += objects.length;
    for (const object of objects) {
      const key = this.#put(followed, object);
      if (key !== undefined) followed.unlisted.delete(key);
    }
  }

  #endList(followed: Followed): void {
    const gone = [...followed.unlisted];
    followed.unlisted = new Set();
    if (followed.listedCount > 0) for (const key of gone) this.#remove(followed, key);
    else if (gone.length > 0) this.#doubt(followed, gone);
    // Kinds that are not served are asked for again and again: that they are still not served is no news.
    const isNews = !followed.listed || followed.cleared;
    followed.listed = true;
    followed.cleared = false;
    if (isNews) this.#news();
  }

  /** A whole kind vanished at once: accepted if it is still so after the grace. */
  #doubt(followed: Followed, gone: readonly ObjectKey[]): void {
    // For objects that are missing already, the grace continues.
    const missing = gone.filter((key) => !followed.missing.has(key));
    if (missing.length === 0) return;
    const { graceMs = defaultGraceMs } = this.#options.timing ?? {};
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      for (const [key, graceEnd] of followed.missing) if (graceEnd === timer) this.#remove(followed, key);
      this.#news();
    }, graceMs).unref();
    this.#timers.add(timer);
    for (const key of missing) followed.missing.set(key, timer);
    this.#options.log("warn", "none left at once: kept for a while", { plural: followed.kind.plural, graceMs });
  }

  #put(followed: Followed, fields: Readonly<Record<string, unknown>>): ObjectKey | undefined {
    const { kind, group, versions } = followed.kind;
    // List items don't say what kind they are.
    const apiVersion = fields["apiVersion"] ?? (group === "" ? versions[0] : `${group}/${versions[0]}`);
    const origin = new ClusterOrigin(nameOf(kind, fields));
    const read = readObject({ ...fields, apiVersion, kind }, origin);
    if (!read.ok) {
      const problems = read.error.map((error): Problem => ({ severity: "error", file: origin.file, ...error }));
      followed.malformed.set(origin.file, problems);
      this.#news();
      return undefined;
    }
    const { key } = read.value;
    const wasMalformed = followed.malformed.delete(origin.file);
    followed.keys.add(key);
    followed.missing.delete(key);
    if (followed.kind.ownStatus === true) {
      const hash = digest(fields);
      if (followed.digests.get(key) === hash) {
        if (wasMalformed) this.#news();
        return key;
      }
      followed.digests.set(key, hash);
    }
    this.#pending.set(key, read.value);
    this.#news();
    return key;
  }

  #drop(followed: Followed, fields: Readonly<Record<string, unknown>>): void {
    const key = this.#put(followed, fields);
    if (key !== undefined) this.#remove(followed, key);
    followed.malformed.delete(nameOf(followed.kind.kind, fields));
  }

  #remove(followed: Followed, key: ObjectKey): void {
    followed.keys.delete(key);
    followed.digests.delete(key);
    followed.missing.delete(key);
    this.#pending.set(key, undefined);
    this.#news();
  }

  #trouble(followed: Followed, reason: string | undefined): void {
    if (followed.trouble === reason) return;
    followed.trouble = reason;
    // Before everything is listed, there is no change that could carry this.
    const { plural } = followed.kind;
    if (reason === undefined) this.#options.log("info", "followed again", { plural });
    else this.#options.log("warn", "can't be followed", { plural, reason });
    this.#troubleChanged = true;
    this.#news();
  }

  #news(): void {
    if (this.#options.signal.aborted) return;
    if (this.#window === "starting") {
      if (this.#followed.every(({ listed }) => listed)) {
        this.#window = "due";
        setImmediate(() => this.#handOn());
      } else if (this.#pending.size >= maxObjects) this.#emit(true);
    } else if (this.#window === "closed") {
      this.#window = "due";
      // Everything from one read of a socket goes out together.
      setImmediate(() => this.#handOn());
    }
  }

  #handOn(): void {
    if (this.#options.signal.aborted) return;
    const more = this.#pending.size > maxObjects;
    this.#emit(more);
    if (more) {
      setImmediate(() => this.#handOn());
      return;
    }
    this.#onStarted();
    this.#window = "open";
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#window = "closed";
      const goesOn = this.#pending.size > 0 || this.#troubleChanged;
      this.#windowMs = goesOn ? Math.min(2 * this.#windowMs, longestWindowMs) : firstWindowMs;
      if (goesOn) this.#news();
    }, this.#windowMs).unref();
    this.#timers.add(timer);
  }

  #emit(more: boolean): void {
    const applied: KubeObject[] = [];
    const removed: ObjectKey[] = [];
    for (const [key, object] of this.#pending) {
      if (applied.length + removed.length === maxObjects) break;
      this.#pending.delete(key);
      if (object === undefined) removed.push(key);
      else applied.push(object);
    }
    this.#troubleChanged = false;
    this.#options.onChange({ applied, removed, problems: this.#problems(), more });
  }

  #problems(): Problem[] {
    const troubles = this.#followed.flatMap(({ kind, trouble }): Problem[] => {
      if (trouble === undefined) return [];
      const message = `${kind.plural} can't be followed, what was known of them stays in force: ${trouble}`;
      return [{ severity: "error", file: "API server", message }];
    });
    const malformed = this.#followed.flatMap((followed) => [...followed.malformed.values()].flat());
    return [...troubles, ...malformed].sort(compareProblems);
  }

  #stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** List items don't say their API version. */
function digest(fields: Readonly<Record<string, unknown>>): string {
  return createHash("sha1")
    .update(JSON.stringify({ ...fields, apiVersion: undefined }))
    .digest("base64");
}

/** An object in a cluster has a name, and no lines. */
class ClusterOrigin {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  lineOf(): undefined {
    return undefined;
  }
}

/** `RetryPolicy shop/orders`; for cluster-scoped kinds `Namespace shop`. */
function nameOf(kind: string, { metadata }: Readonly<Record<string, unknown>>): string {
  const { namespace, name } = isRecord(metadata) ? metadata : {};
  return `${kind} ${typeof namespace === "string" ? `${namespace}/` : ""}${typeof name === "string" ? name : "?"}`;
}
