/** RetryPolicy: which tries are repeated, when, and how often. */

import { defaultRetryBudget, defaultRetryPolicy } from "../defaults.ts";
import { formatDuration } from "../duration.ts";
import type { RetryBudgetPolicy, RetryCondition, RetryPolicy } from "../policy.ts";
import { boolean, duration, integer, limit, number } from "./scalars.ts";
import { given, list, object, oneOf, Schema } from "./schema.ts";
import { type Attached, targetRefs } from "./targets.ts";

const hourMs = 3_600_000;

/** In canonical order. */
const retryConditions = [
  "connect-failure",
  "connect-timeout",
  "refused-stream",
  "reset",
  "5xx",
  "429",
  "500",
  "502",
  "503",
  "504",
  "cancelled",
  "unknown",
  "deadline-exceeded",
  "resource-exhausted",
  "aborted",
  "internal",
  "unavailable",
  "data-loss",
] as const satisfies readonly RetryCondition[];

/** Answers that stay the same however often a request is repeated. */
const final: readonly string[] = ["400", "401", "403", "404", "409"];

/** Why this status can't be retried; undefined if it can. */
export function finalStatusProblem(status: unknown): string | undefined {
  const name = String(status);
  return final.includes(name)
    ? `${name} can't be retried: the request itself must change before the answer can`
    : undefined;
}

const conditionByName = oneOf<RetryCondition>(retryConditions);

/** A status may also be a number, since YAML reads it as one. */
const retryCondition = new Schema<RetryCondition>(
  {
    "x-kubernetes-int-or-string": true,
    enum: [...retryConditions, ...retryConditions.filter((name) => /^\d+$/.test(name)).map(Number)],
  },
  (value, at) => {
    const problem = finalStatusProblem(value);
    if (problem !== undefined) return at.fail(problem);
    return conditionByName.read(typeof value === "number" ? `${value}` : value, at);
  },
);

const budget = object({
  percent: number({ min: 0, max: 100 })
    .describe("Retries as a percentage of the first tries in the window.")
    .or(defaultRetryBudget.percent),
  window: duration({ min: 1000, max: hourMs })
    .describe("How far back tries are counted.")
    .or(defaultRetryBudget.windowMs),
  minRetriesPerSecond: integer({ min: 0, max: 10_000 })
    .describe("Retries per second that are always allowed.")
    .or(defaultRetryBudget.minRetriesPerSecond),
})
  .map(({ window, ...rest }): RetryBudgetPolicy => ({ ...rest, windowMs: window }))
  .describe("Bounds the extra load of retries, per sidecar and destination.")
  .or(defaultRetryBudget);

export const retryPolicySpec: Schema<Attached<RetryPolicy>> = object({
  targetRefs: targetRefs(["Service", "HTTPRoute", "GRPCRoute"]),
  maxAttempts: integer({ min: 1, max: 100 })
    .describe("Tries in all, the first included.")
    .or(defaultRetryPolicy.maxAttempts),
  initialDelay: duration({ min: 0, max: hourMs })
    .describe("The time before the first retry.")
    .or(defaultRetryPolicy.initialDelayMs),
  backoffMultiplier: number({ min: 1, max: 100 })
    .describe("How much longer each delay is than the one before.")
    .or(defaultRetryPolicy.backoffMultiplier),
  maxDelay: duration({ min: 0, max: hourMs })
    .describe("No delay is longer; a Retry-After that is longer ends the tries.")
    .or(defaultRetryPolicy.maxDelayMs),
  jitter: number({ min: 0, max: 1 })
    .describe("The share by which a delay varies either way.")
    .or(defaultRetryPolicy.jitter),
  perTryTimeout: limit({ min: 1, max: 24 * hourMs })
    .describe("The time of one try. 0s: no limit.")
    .optional(),
  retryOn: list(retryCondition, { min: 1, max: 32 })
    .map((conditions): readonly RetryCondition[] => retryConditions.filter((name) => conditions.includes(name)))
    .describe("What is retried: failures of a try, HTTP statuses, gRPC statuses.")
    .or(defaultRetryPolicy.retryOn),
  budget,
  retryNonIdempotent: boolean()
    .describe("Also retry POST and PATCH when the first try may have been processed.")
    .or(defaultRetryPolicy.retryNonIdempotent),
})
  .check({
    cel:
      "duration(has(self.initialDelay) ? self.initialDelay : '100ms') <= " +
      "duration(has(self.maxDelay) ? self.maxDelay : '5s')",
    says: "initialDelay must be at most maxDelay",
    field: "initialDelay",
    find: ({ initialDelay, maxDelay }) =>
      initialDelay <= maxDelay
        ? undefined
        : `must be at most maxDelay (${formatDuration(maxDelay)}), got ${formatDuration(initialDelay)}`,
  })
  .map(({ targetRefs: targets, initialDelay, maxDelay, perTryTimeout, ...same }) => ({
    targets,
    spec: {
      ...same,
      initialDelayMs: initialDelay,
      maxDelayMs: maxDelay,
      ...given({ perTryTimeoutMs: perTryTimeout }),
    },
  }));
