/**
 * The queue of token reviews. In a cluster each review costs two requests to the API server, and anybody who reaches the port can
 * cause one. So only a few run at a time and a few wait, and an address that asks too often is refused before it costs anything.
 * The queue knows nothing of tokens.
 *
 * ```
 *   asked ──▶ waiting ──▶ under way ──▶ done
 *     │          └── one too many, or its caller has left ──▶ refused: busy
 *     └── too often ──▶ refused: too_often
 * ```
 */

import type { Clock } from "../../model/clock.ts";
import type { TokenRate } from "../../model/policy.ts";
import { err, ok, type Result } from "../../model/result.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import { FairLimit } from "../../system/fair-limit.ts";

export interface ReviewLimits {
  readonly atOnce: number;
  /** The number that may wait for their turn. One more, and the address with the most waiting loses one. */
  readonly waiting: number;
  /** Absent: no limit, because asking costs nobody anything. */
  readonly perAddress?: TokenRate;
}

/** The load on an API server. A node's worth of pods may call from one address, behind source NAT, and all at once. */
export const clusterReviewLimits: ReviewLimits = {
  atOnce: 50,
  waiting: 1_000,
  perAddress: { requests: 20, perMs: 1_000, burst: 300 },
};

/** The load of reading files, for the processes of one machine. */
export const folderReviewLimits: ReviewLimits = { atOnce: 50, waiting: 1_000 };

/** Beyond this number, the address that asked longest ago is forgotten and gets a full bucket again. */
const keptAddresses = 10_000;

export interface ReviewRefusal {
  readonly why: "busy" | "too_often";
  /**
   * False: its address was already refused for this reason, and has not been let in since, or the queue has not been empty
   * since.
   */
  readonly isNews: boolean;
}

export interface Applicant {
  readonly address: string;
  /** False: the caller has hung up, and nobody waits for an answer. */
  readonly isThere: () => boolean;
}

interface Asking {
  readonly bucket: TokenBucket;
  wasRefused: boolean;
}

interface Waiting {
  readonly applicant: Applicant;
  readonly settle: (mayBegin: boolean) => void;
}

export class ReviewQueue {
  readonly #limits: ReviewLimits;
  readonly #clock: Clock;
  /** By address, least recent caller first. */
  readonly #asking = new Map<string, Asking>();
  /** In order of arrival. */
  readonly #waiting = new Set<Waiting>();
  readonly #room: FairLimit<Waiting>;
  /** Addresses that were refused since the queue was last empty. */
  readonly #turnedAway = new Set<string>();
  #underWay = 0;

  constructor(limits: ReviewLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#room = new FairLimit(limits.waiting);
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Rejects if `review` does. */
  async take<T>(applicant: Applicant, review: () => Promise<T>): Promise<Result<T, ReviewRefusal>> {
    const tooOften = this.#charge(applicant.address);
    if (tooOften !== undefined) return err(tooOften);
    if (this.#underWay < this.#limits.atOnce) this.#underWay++;
    else if (!(await this.#turn(applicant))) return err({ why: "busy", isNews: this.#isFirst(applicant.address) });
    try {
      return ok(await review());
    } finally {
      this.#handOn();
    }
  }

  #charge(address: string): ReviewRefusal | undefined {
    const { perAddress } = this.#limits;
    if (perAddress === undefined) return undefined;
    const asking = this.#asking.get(address) ?? {
      bucket: new TokenBucket(perAddress, this.#clock),
      wasRefused: false,
    };
    this.#asking.delete(address);
    this.#asking.set(address, asking);
    const [longestAgo = ""] = this.#asking.keys();
    if (this.#asking.size > keptAddresses) this.#asking.delete(longestAgo);
    const isNews = !asking.wasRefused;
    asking.wasRefused = !asking.bucket.tryTake();
    return asking.wasRefused ? { why: "too_often", isNews } : undefined;
  }

  /** True once per address, until the queue has been empty. Of more addresses than are kept, the rest is not news. */
  #isFirst(address: string): boolean {
    if (this.#turnedAway.has(address) || this.#turnedAway.size >= keptAddresses) return false;
    this.#turnedAway.add(address);
    return true;
  }

  /** Resolves to false if there is no room to wait, or not any more. */
  #turn(applicant: Applicant): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting: Waiting = { applicant, settle: resolve };
    this.#waiting.add(waiting);
    const excess = this.#room.admit(applicant.address, waiting);
    if (excess !== undefined) this.#dismiss(excess, false);
    return promise;
  }

  /** Passes the place of a finished review straight to the next, so that nobody else can take it in between. */
  #handOn(): void {
    for (const waiting of this.#waiting) {
      const isThere = waiting.applicant.isThere();
      this.#dismiss(waiting, isThere);
      if (isThere) return;
    }
    this.#turnedAway.clear();
    this.#underWay--;
  }

  #dismiss(waiting: Waiting, mayBegin: boolean): void {
    this.#waiting.delete(waiting);
    this.#room.leave(waiting.applicant.address, waiting);
    waiting.settle(mayBegin);
  }
}
