/**
 * Writes statuses to the API server, level-triggered: each round compares what is true now with what was written last, and writes
 * the difference. It reads each object first, so that it never writes what is already there.
 *
 * It writes only while it leads, at a limited rate, and waits if the API server asks it to or fails.
 */

import { backoffDelayMs } from "../../model/backoff.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { type ApiAnswer, type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { faultEvents } from "./fault-events.ts";
import { type StatusTarget, targetKey } from "./status-target.ts";

/** How one status fared; a label of the metric. `unchanged`: it was already there. */
export type WriteOutcome = "written" | "unchanged" | "gone" | "conflict" | "refused" | "failed";

export interface StatusWriterOptions {
  readonly api: Pick<ClusterApi, "request">;
  /** Every status that should be in the API server now; `returning` as below. */
  readonly targets: (returning: boolean) => readonly StatusTarget[];
  /** Whether sidecars may still be on their way to a replica, so that figures are incomplete. */
  readonly returning: () => boolean;
  /** Checked before each write. */
  readonly leads: () => boolean;
  /** Names this replica in Events. */
  readonly instance: string;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly random: Random;
  readonly log: Log;
  readonly count: (outcome: WriteOutcome) => void;
}

/** Changes come in bursts, and sidecars take a moment to confirm, so a state is written only once it has settled. */
const settleMs = 300;
/** The longest time until others' changes to our statuses are noticed. */
const resyncMs = 10 * 60 * 1000;
/** How often a replica that does not lead checks whether it does now. */
const followMs = 2_000;
const writesPerSecond = 50;
/** Collecting all statuses takes at most this share of the time, however often something changes. */
const planShare = 0.05;
/** The attempts to read and write one object that others keep changing. */
const maxConflicts = 3;
const backoff = { initialDelayMs: 500, backoffMultiplier: 2, maxDelayMs: 30_000, jitter: 0.2 };

interface Pending {
  readonly target: StatusTarget;
  readonly text: string;
}

/** The API server's answer to one status: it is settled, or to be tried again. */
type Verdict =
  | { readonly kind: "settled"; readonly outcome: WriteOutcome }
  | { readonly kind: "postponed"; readonly reason: string; readonly afterMs: number };

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #bucket: TokenBucket;
  /** What is in the API server, by target; a status that is the same is not written. */
  readonly #settled = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** When the first change came that is not planned yet. */
  #changedAtMs: number | undefined;
  #planNotBeforeMs = 0;
  #resyncAtMs: number;
  #writeNotBeforeMs = 0;
  #failures = 0;
  #wake: () => void = () => {};

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    const limit = { requests: writesPerSecond, perMs: 1_000, burst: writesPerSecond };
    this.#bucket = new TokenBucket(limit, options.clock);
    this.#resyncAtMs = options.clock.now() + resyncMs;
  }

  /** Call when something changes that a status may depend on, or when this replica begins to lead. */
  markChanged(): void {
    if (this.#changedAtMs !== undefined) return;
    this.#changedAtMs = this.#options.clock.now();
    this.#wake();
  }

  /** Runs rounds until `signal`. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#sleep(signal);
      if (!signal.aborted) await this.round();
    }
  }

  /** How long until there is something to do. */
  get pauseMs(): number {
    if (!this.#options.leads()) return followMs;
    const nowMs = this.#options.clock.now();
    const dueMs = [this.#resyncAtMs];
    if (this.#changedAtMs !== undefined) dueMs.push(this.#planAtMs(this.#changedAtMs));
    if (this.#pending.size > 0) dueMs.push(Math.max(this.#writeNotBeforeMs, nowMs + this.#bucket.nextInMs));
    return Math.max(0, Math.min(...dueMs) - nowMs);
  }

  /** Does what is due, within the rate limit. Never rejects. */
  async round(): Promise<void> {
    const { clock, leads, count } = this.#options;
    if (!leads()) return this.#forget();
    if (clock.now() >= this.#resyncAtMs) this.#resync();
    if (this.#changedAtMs !== undefined && clock.now() >= this.#planAtMs(this.#changedAtMs)) this.#plan();
    for (const [key, { target, text }] of this.#pending) {
      if (clock.now() < this.#writeNotBeforeMs || !leads() || !this.#bucket.tryTake()) return;
      this.#pending.delete(key);
      const verdict = await this.#write(target);
      if (verdict.kind === "postponed") {
        // To the end of the queue: it may be this one that can't be written.
        this.#pending.set(key, { target, text });
        return this.#postpone(verdict);
      }
      this.#failures = 0;
      count(verdict.outcome);
      this.#settled.set(key, text);
    }
  }

  #planAtMs(changedAtMs: number): number {
    return Math.max(changedAtMs + settleMs, this.#planNotBeforeMs);
  }

  /** Another replica writes now. By the time this one leads again, all it remembers of the API server may be outdated. */
  #forget(): void {
    this.#pending.clear();
    this.#settled.clear();
    this.#changedAtMs = undefined;
    this.#resyncAtMs = this.#options.clock.now();
  }

  #resync(): void {
    this.#settled.clear();
    this.#resyncAtMs = this.#options.clock.now() + resyncMs;
    this.#changedAtMs ??= this.#options.clock.now();
  }

  #plan(): void {
    const { clock, targets, returning } = this.#options;
    const startMs = clock.now();
    const incomplete = returning();
    // That ends without anything to notice, so it is asked again.
    this.#changedAtMs = incomplete ? startMs : undefined;
    const planned = new Map(targets(incomplete).map((target) => [targetKey(target), target]));
    for (const known of [this.#settled, this.#pending]) {
      for (const key of known.keys()) if (!planned.has(key)) known.delete(key);
    }
    for (const [key, target] of planned) {
      const text = JSON.stringify(target);
      if (this.#settled.get(key) === text) this.#pending.delete(key);
      else this.#pending.set(key, { target, text });
    }
    this.#planNotBeforeMs = clock.now() + (clock.now() - startMs) / planShare;
  }

  #postpone({ reason, afterMs }: { readonly reason: string; readonly afterMs: number }): void {
    const { clock, random, log, count } = this.#options;
    count("failed");
    this.#failures++;
    const delayMs = Math.max(afterMs, backoffDelayMs(backoff, this.#failures, random));
    this.#writeNotBeforeMs = clock.now() + delayMs;
    log("warn", "status not written", { reason, retryInMs: Math.round(delayMs) });
  }

  async #write(target: StatusTarget): Promise<Verdict> {
    try {
      for (let conflicts = 0; ; ) {
        const verdict = await this.#writeOnce(target);
        if (verdict.kind !== "settled" || verdict.outcome !== "conflict") return verdict;
        if (++conflicts === maxConflicts) return { kind: "postponed", reason: "conflicts", afterMs: 0 };
        this.#options.count("conflict");
      }
    } catch (error) {
      return { kind: "postponed", reason: reasonOf(error), afterMs: 0 };
    }
  }

  async #writeOnce(target: StatusTarget): Promise<Verdict> {
    const { api, wallClock } = this.#options;
    const read = await api.request({ path: target.path });
    if (read.status !== 200) return this.#judge(target, read);
    const { metadata, status } = isRecord(read.body) ? read.body : {};
    const { resourceVersion, generation, uid } = isRecord(metadata) ? metadata : {};
    // The source has not seen this version yet, or this object of the same name; its status follows once it has.
    const isOther = generation !== target.generation || (target.uid !== undefined && uid !== target.uid);
    if (isOther) return { kind: "settled", outcome: "unchanged" };
    const next = target.next(status, new Date(wallClock()).toISOString().replace(/\.\d+Z$/, "Z"));
    if (next === undefined) return { kind: "settled", outcome: "unchanged" };
    const written = await api.request({
      method: "PATCH",
      path: `${target.path}/status`,
      contentType: "application/merge-patch+json",
      body: { metadata: { resourceVersion }, status: next },
    });
    if (written.status !== 200) return this.#judge(target, written);
    if (typeof uid === "string") await this.#tell(target, uid);
    return { kind: "settled", outcome: "written" };
  }

  #judge({ kind, namespace, name }: StatusTarget, answer: ApiAnswer): Verdict {
    const { status, retryAfterMs = 0 } = answer;
    if (status === 404) return { kind: "settled", outcome: "gone" };
    if (status === 409) return { kind: "settled", outcome: "conflict" };
    if (status === 429 || status >= 500)
      return { kind: "postponed", reason: describeAnswer(answer), afterMs: retryAfterMs };
    this.#options.log("error", "status refused", { kind, namespace, name, reason: describeAnswer(answer) });
    return { kind: "settled", outcome: "refused" };
  }

  /** A lost Event does not justify writing the status again: the condition says the same. */
  async #tell(target: StatusTarget, uid: string): Promise<void> {
    const { api, instance, wallClock, log } = this.#options;
    const now = new Date(wallClock()).toISOString().replace("Z", "000Z");
    const path = `/apis/events.k8s.io/v1/namespaces/${target.namespace}/events`;
    for (const body of faultEvents(target, uid, { instance, now })) {
      const answer = await api.request({ method: "POST", path, body });
      // 409: it was reported before.
      if (answer.status >= 300 && answer.status !== 409)
        log("warn", "event not written", { reason: describeAnswer(answer) });
    }
  }

  /** Sleeps until something is due or has changed. */
  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(done, this.pauseMs);
      signal.addEventListener("abort", done, { once: true });
      this.#wake = done;
    });
  }
}
