/**
 * Admits requests no faster than the rate limits of their port allow. A tunnel counts as one request, when it opens. The
 * buckets are in `model/rate-limit.ts`; this file keeps them across updates that leave their policy unchanged, so that a
 * change elsewhere does not refill them.
 */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import { pathOf } from "../../model/path.ts";
import type { NamedRateLimits, RateLimit } from "../../model/policy.ts";
import { admit, formatRateLimit, RateLimiter, type RateState } from "../../model/rate-limit.ts";
import type { RequestView } from "../../model/route-match.ts";
import type { Exchange, Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import { nowhere, PassThrough } from "../net/pass-through.ts";

/** `limiters`: shared by the whole sidecar, since a policy counts over all ways in. */
export function limitRate(limiters: RateLimiters): Layer {
  return (next) => (exchange, response) => {
    const limits = exchange.target?.rateLimits;
    if (limits === undefined) return next(exchange, response);
    const verdict = admit(limiters.of(limits), viewOf(exchange), exchange.peer);
    if (verdict.tightest === undefined) return next(exchange, response);
    const fields = fieldsOf(verdict.tightest);
    if (verdict.kind === "admitted") {
      const announced = new LimitFields(response, fields);
      announced.attach(next(exchange, announced));
      return announced;
    }
    const { tightest, retryAfterMs } = verdict;
    const options = { processed: "unprocessed", retryAfterMs, fields } as const;
    response.abortResponse(new MeshError("rate_limited", describe(tightest.limit), options));
    return nowhere;
  };
}

type Fields = readonly (readonly [name: string, value: string])[];

/** The nearest limit, which callers are told of before they reach it. */
function fieldsOf(tightest: RateState): Fields {
  const { policy, state } = formatRateLimit(tightest);
  return [
    ["ratelimit-policy", policy],
    ["ratelimit", state],
  ];
}

/** Adds the fields to an admitted request's response. An application's own limits stay beside ours: the fields are lists. */
class LimitFields extends PassThrough {
  readonly #fields: Fields;

  constructor(above: ResponseSink, fields: Fields) {
    super(above);
    this.#fields = fields;
  }

  override head(head: ResponseHead): void {
    for (const [name, value] of this.#fields) head.headers.append(name, value);
    this.above.head(head);
  }
}

/** How many policies' buckets are kept; beyond that, the least recently updated policy's go. */
const maxPolicies = 1_000;

export class RateLimiters {
  readonly #clock: Clock;
  /** The limits and the limiter of each policy, by its name. */
  readonly #known = new Map<string, { readonly limits: readonly RateLimit[]; readonly limiter: RateLimiter }>();
  /** Found once per update, which brings new lists. */
  readonly #found = new WeakMap<readonly NamedRateLimits[], readonly RateLimiter[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(policies: readonly NamedRateLimits[]): readonly RateLimiter[] {
    let limiters = this.#found.get(policies);
    if (limiters === undefined) {
      limiters = policies.map((policy) => this.#limiterOf(policy));
      this.#found.set(policies, limiters);
    }
    return limiters;
  }

  #limiterOf({ name, limits }: NamedRateLimits): RateLimiter {
    const known = this.#known.get(name);
    const limiter =
      known !== undefined && isDeepStrictEqual(known.limits, limits)
        ? known.limiter
        : new RateLimiter(limits, this.#clock);
    this.#known.delete(name);
    this.#known.set(name, { limits, limiter });
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxPolicies && oldest !== undefined) this.#known.delete(oldest);
    return limiter;
  }
}

function viewOf({ method, path: target, headers }: Exchange): RequestView {
  const path = pathOf(target);
  return { method, path, query: target.slice(path.length + 1), headers };
}

function describe({ requests, perMs, by }: RateLimit): string {
  return `The limit is ${requests} in ${perMs} ms ${by === "client" ? "for each caller" : "for all callers together"}.`;
}
