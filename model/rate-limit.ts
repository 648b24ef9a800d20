/** Whether a request is within the rate limits of a pod, and what its caller is told about them. */

import type { Clock } from "./clock.ts";
import type { RateLimit } from "./policy.ts";
import { compileMatches, type RequestView } from "./route-match.ts";
import { TokenBucket } from "./token-bucket.ts";

export type RateVerdict =
  /** The limit that is nearest to being exhausted; absent: none counts this request. */
  | { readonly kind: "admitted"; readonly tightest?: RateState }
  | { readonly kind: "refused"; readonly tightest: RateState; readonly retryAfterMs: number };

/** One limit, from its caller's point of view after this request. */
export interface RateState {
  readonly limit: RateLimit;
  readonly remaining: number;
  /** Time until there is a token again; 0: there is one. */
  readonly nextInMs: number;
}

/** Buckets of this many callers are kept per limit; beyond that, the caller that has been silent longest is forgotten. */
const maxClients = 10_000;

/** The buckets of one policy. */
export class RateLimiter {
  readonly #limits: readonly LimitBuckets[];

  constructor(limits: readonly RateLimit[], clock: Clock) {
    this.#limits = limits.map((limit) => new LimitBuckets(limit, clock));
  }

  /** Returns the buckets that count the request. */
  bucketsOf(request: RequestView, client: string | undefined): CountedBucket[] {
    const counted: CountedBucket[] = [];
    for (const limit of this.#limits) {
      const bucket = limit.bucketOf(request, client);
      if (bucket !== undefined) counted.push({ limit: limit.limit, bucket });
    }
    return counted;
  }
}

interface CountedBucket {
  readonly limit: RateLimit;
  readonly bucket: TokenBucket;
}

/** Takes a token from every limit that counts the request, or from none. `client`: its SPIFFE id, if it has one. */
export function admit(limiters: readonly RateLimiter[], request: RequestView, client: string | undefined): RateVerdict {
  const counted = limiters.flatMap((limiter) => limiter.bucketsOf(request, client));
  const empty = counted
    .filter(({ bucket }) => bucket.remaining < 1)
    .sort((a, b) => b.bucket.nextInMs - a.bucket.nextInMs)[0];
  if (empty !== undefined) {
    return { kind: "refused", tightest: stateOf(empty), retryAfterMs: empty.bucket.nextInMs };
  }
  for (const { bucket } of counted) bucket.tryTake();
  const tightest = counted.sort((a, b) => a.bucket.remaining - b.bucket.remaining)[0];
  return { kind: "admitted", ...(tightest && { tightest: stateOf(tightest) }) };
}

class LimitBuckets {
  readonly limit: RateLimit;
  readonly #clock: Clock;
  readonly #counts: (request: RequestView) => boolean;
  readonly #shared: TokenBucket;
  /** In the order in which they were last used. */
  readonly #byClient = new Map<string, TokenBucket>();

  constructor(limit: RateLimit, clock: Clock) {
    this.limit = limit;
    this.#clock = clock;
    this.#counts = compileMatches(limit.matches);
    this.#shared = new TokenBucket(limit, clock);
  }

  bucketOf(request: RequestView, client: string | undefined): TokenBucket | undefined {
    if (!this.#counts(request)) return undefined;
    if (this.limit.by === "all" || client === undefined) return this.#shared;
    const bucket = this.#byClient.get(client) ?? new TokenBucket(this.limit, this.#clock);
    this.#byClient.delete(client);
    this.#byClient.set(client, bucket);
    if (this.#byClient.size > maxClients) {
      const [oldest] = this.#byClient.keys();
      if (oldest !== undefined) this.#byClient.delete(oldest);
    }
    return bucket;
  }
}

function stateOf({ limit, bucket }: CountedBucket): RateState {
  return { limit, remaining: bucket.remaining, nextInMs: bucket.nextInMs };
}

/**
 * The values of `RateLimit-Policy` and `RateLimit`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/): quota, window and time in whole seconds.
 */
export function formatRateLimit({ limit, remaining, nextInMs }: RateState): { policy: string; state: string } {
  const windowSeconds = Math.max(1, Math.ceil(limit.perMs / 1000));
  const reset = remaining > 0 ? "" : `;t=${formatRetryAfter(nextInMs)}`;
  return {
    policy: `"${limit.by}";q=${limit.requests};w=${windowSeconds}`,
    state: `"${limit.by}";r=${remaining}${reset}`,
  };
}

/** Whole seconds, rounded up and never 0, which would invite the same refusal again. */
export function formatRetryAfter(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))}`;
}
