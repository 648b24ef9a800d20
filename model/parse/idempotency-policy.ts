/**
 * IdempotencyPolicy: requests with the same `Idempotency-Key` are processed once.
 *
 * ```yaml
 * spec:
 *   targetRefs: [{kind: Service, name: payments}]
 *   required: true
 *   ttl: 24h
 * ```
 */

import { defaultIdempotencyPolicy } from "../defaults.ts";
import type { IdempotencyPolicy } from "../policy.ts";
import { boolean, duration, integer } from "./scalars.ts";
import { list, object, oneOf, type Schema } from "./schema.ts";
import { serverScope, serverScopeFields } from "./server-scope.ts";
import type { Attached } from "./targets.ts";

const defaults = defaultIdempotencyPolicy;

export const idempotencyPolicySpec: Schema<Attached<IdempotencyPolicy>> = object({
  ...serverScopeFields,
  methods: list(oneOf(["POST", "PATCH", "PUT", "DELETE"]), { min: 1, max: 4, unique: String })
    .map((methods): readonly string[] => methods.toSorted())
    .describe("Requests that may carry a key.")
    .or(defaults.methods),
  required: boolean().describe("A request of these methods without a key gets 400.").or(defaults.required),
  ttl: duration({ min: 1000, max: 30 * 24 * 3_600_000 })
    .describe("How long an answer is kept.")
    .or(defaults.ttlMs),
  maxAnswerBytes: integer({ min: 0, max: 64 * 1024 * 1024 })
    .describe("A longer answer is not kept.")
    .or(defaults.maxAnswerBytes),
  store: oneOf(["memory", "redis"])
    .describe("Where answers are kept: in each sidecar, or for all replicas in the Redis that injection names.")
    .or(defaults.store),
  onStoreFailure: oneOf(["reject", "allow"])
    .describe("While the store can't be reached: reject keyed requests, or allow them to be processed unguarded.")
    .or(defaults.onStoreFailure),
}).map((fields) => {
  const { targetRefs: targets, selector: _, ports: __, ttl, ...same } = fields;
  return { targets, spec: { ...serverScope(fields), ...same, ttlMs: ttl } };
});
