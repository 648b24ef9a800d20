/**
 * Decides which replica writes statuses: the holder of one Lease. It decides when to take, renew and give up the lease;
 * how it is read and written is the store's business.
 *
 * ```
 *                free, or unchanged for its whole duration
 *    following ─────────────────────────────────────────────▶ leading ──renewed──┐
 *        ▲                                                      │  ▲─────────────┘
 *        └──── taken by another, or not renewed in time ────────┘
 * ```
 *
 * Other machines' clocks don't matter: a follower measures, on its own clock, how long the lease has not changed, and a
 * leader counts from before it sent its request. A leader stops well before anyone may replace it.
 */

import type { Clock, Random } from "../../model/clock.ts";
import { type Log, reasonOf } from "../../system/log.ts";

export interface Lease {
  /** Changes with each write, whoever makes it. */
  readonly version: string;
  /** Empty: released. */
  readonly holder: string;
  /** How long the lease must go unchanged before another may take it. */
  readonly durationMs: number;
  /** How often the holder has changed. */
  readonly transitions: number;
}

/** Methods reject if the API server does not answer, or gives an unexpected answer. */
export interface LeaseStore {
  /** Undefined: there is none yet. */
  read(): Promise<Lease | undefined>;
  /** Creates the lease; undefined: somebody else did. */
  create(lease: Omit<Lease, "version">): Promise<Lease | undefined>;
  /** Sets another holder, or none. Undefined: the lease has changed since `over`. */
  take(over: Lease, holder: string, durationMs: number): Promise<Lease | undefined>;
  /** Extends the holder's lease. Undefined: it has changed since `over`. */
  renew(over: Lease): Promise<Lease | undefined>;
}

export interface LeadershipOptions {
  /** Unique to this process: after a restart it is a different one. */
  readonly identity: string;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called after each change of `leads` that was noticed. */
  readonly onChange?: (leads: boolean) => void;
}

type State =
  | { readonly kind: "following"; readonly seen: { readonly version: string; readonly sinceMs: number } | undefined }
  | { readonly kind: "leading"; readonly lease: Lease; readonly renewedAtMs: number };

const leaseDurationMs = 15_000;
/** A holder that lives renews its lease far more often, however long that says it may take. */
const longestWaitMs = 60_000;
/** A leader that could not renew for this long stops leading. A request is abandoned before the rest of the lease runs out. */
const renewDeadlineMs = 10_000;
const renewEveryMs = 4_000;
const followEveryMs = 2_000;
/** Keeps replicas that started at once from asking at once. */
const jitter = 0.2;

export class Leadership {
  readonly #options: LeadershipOptions;
  #state: State = { kind: "following", seen: undefined };

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Whether this replica leads at this moment. Check it before each write. */
  get leads(): boolean {
    const state = this.#state;
    return state.kind === "leading" && this.#options.clock.now() - state.renewedAtMs < renewDeadlineMs;
  }

  /** How long to wait before the next step. */
  get pauseMs(): number {
    const every = this.#state.kind === "leading" ? renewEveryMs : followEveryMs;
    return every * (1 - jitter + 2 * jitter * this.#options.random());
  }

  /** Reads the lease once, and takes or renews it if it may. Never rejects: an error is logged, and the next step tries again. */
  async step(): Promise<void> {
    const { log } = this.#options;
    const startMs = this.#options.clock.now();
    try {
      const state = this.#state;
      if (state.kind === "leading") await this.#renew(state.lease, startMs);
      else await this.#follow(startMs);
    } catch (error) {
      log("warn", "lease not reached", { reason: reasonOf(error) });
      if (this.#state.kind === "leading" && !this.leads) this.#become({ kind: "following", seen: undefined });
    }
  }

  /** Releases the lease, if held, so that nobody has to wait for it to expire. Never rejects. */
  async release(): Promise<void> {
    const state = this.#state;
    if (state.kind === "following") return;
    this.#become({ kind: "following", seen: undefined });
    try {
      await this.#options.store.take(state.lease, "", leaseDurationMs);
    } catch (error) {
      this.#options.log("warn", "lease not given up", { reason: reasonOf(error) });
    }
  }

  async #renew(held: Lease, startMs: number): Promise<void> {
    const renewed = await this.#options.store.renew(held);
    if (renewed !== undefined) return this.#become({ kind: "leading", lease: renewed, renewedAtMs: startMs });
    // Somebody else has written it: perhaps only a label was added, perhaps it has a new holder.
    const lease = await this.#options.store.read();
    if (lease?.holder === this.#options.identity)
      return this.#become({ kind: "leading", lease, renewedAtMs: this.#renewedAtMs() });
    this.#become({ kind: "following", seen: lease && { version: lease.version, sinceMs: startMs } });
  }

  async #follow(startMs: number): Promise<void> {
    const { store, identity } = this.#options;
    const lease = await store.read();
    const taken = lease === undefined ? await this.#create() : await this.#take(lease, startMs);
    if (taken?.holder === identity) this.#become({ kind: "leading", lease: taken, renewedAtMs: startMs });
  }

  #create(): Promise<Lease | undefined> {
    const { store, identity } = this.#options;
    return store.create({ holder: identity, durationMs: leaseDurationMs, transitions: 0 });
  }

  async #take(lease: Lease, nowMs: number): Promise<Lease | undefined> {
    const { store, identity } = this.#options;
    const { seen } = this.#state.kind === "following" ? this.#state : { seen: undefined };
    const sinceMs = seen?.version === lease.version ? seen.sinceMs : nowMs;
    this.#state = { kind: "following", seen: { version: lease.version, sinceMs } };
    // It is already ours if the answer to an earlier request was lost.
    const free = lease.holder === "" || lease.holder === identity;
    // Somebody may have edited it: nobody is replaced while it may still believe to lead, and nobody leads for ever.
    const waitMs = Math.min(Math.max(lease.durationMs, leaseDurationMs), longestWaitMs);
    if (!free && nowMs - sinceMs < waitMs) return undefined;
    return await store.take(lease, identity, leaseDurationMs);
  }

  #renewedAtMs(): number {
    return this.#state.kind === "leading" ? this.#state.renewedAtMs : Number.NEGATIVE_INFINITY;
  }

  #become(next: State): void {
    const before = this.#state.kind;
    this.#state = next;
    if (before === next.kind) return;
    const { log, identity, onChange } = this.#options;
    log("info", next.kind === "leading" ? "leading" : "no longer leading", { identity });
    onChange?.(next.kind === "leading");
  }
}
