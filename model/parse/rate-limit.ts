/**
 * RateLimit: how many requests a pod accepts.
 *
 * ```yaml
 * spec:
 *   targetRefs: [{kind: Service, name: payments}]
 *   limits:
 *     - {requests: 100, per: 1s}
 *     - {requests: 10, per: 1s, burst: 20, by: client, match: [{path: {value: /reports}}]}
 * ```
 */

import type { RateLimit, RateLimitPolicy } from "../policy.ts";
import { requestMatches } from "./match.ts";
import { duration, integer } from "./scalars.ts";
import { list, object, oneOf, type Schema } from "./schema.ts";
import { serverScope, serverScopeFields } from "./server-scope.ts";
import type { Attached } from "./targets.ts";

const count = { min: 1, max: 1_000_000_000 };

const limit = object({
  requests: integer(count).describe("How many requests are admitted in each `per`."),
  per: duration({ min: 1, max: 24 * 3_600_000 })
    .describe("The time in which `requests` are admitted.")
    .or(1000),
  burst: integer(count)
    .describe("How many requests may come at once after a quiet time. Default: requests.")
    .optional(),
  by: oneOf(["all", "client"]).describe("client: each caller's identity has a limit of its own.").or("all"),
  match: requestMatches,
}).map(
  ({ requests, per, burst = requests, by, match }): RateLimit => ({ requests, perMs: per, burst, by, matches: match }),
);

export const rateLimitSpec: Schema<Attached<RateLimitPolicy>> = object({
  ...serverScopeFields,
  limits: list(limit, { min: 1, max: 16 }).describe(
    "All of them must admit a request. Each sidecar counts for itself.",
  ),
}).map((fields) => ({ targets: fields.targetRefs, spec: { ...serverScope(fields), limits: fields.limits } }));
