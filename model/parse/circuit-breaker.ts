/** CircuitBreaker: when an endpoint temporarily gets no requests. */

import { defaultCircuitBreakerPolicy } from "../defaults.ts";
import { formatDuration } from "../duration.ts";
import type { CircuitBreakerPolicy, FailureKind } from "../policy.ts";
import { duration, integer, number } from "./scalars.ts";
import { given, list, object, oneOf, type Schema } from "./schema.ts";
import { type Attached, targetRefs } from "./targets.ts";

const dayMs = 24 * 3_600_000;
const defaults = defaultCircuitBreakerPolicy;
const most = { min: 1, max: 1_000_000 };

export const circuitBreakerSpec: Schema<Attached<CircuitBreakerPolicy>> = object({
  targetRefs: targetRefs(["Service"]),
  scope: oneOf({ Endpoint: "endpoint", Service: "service" })
    .describe("Whether each endpoint has a breaker of its own, or the Service one for all.")
    .or(defaults.scope),
  failureThreshold: integer({ min: 1, max: 10_000 })
    .describe("The number of failures that opens it.")
    .or(defaults.failureThreshold),
  failureWindow: duration({ min: 1, max: dayMs })
    .describe("Older failures are forgotten.")
    .or(defaults.failureWindowMs),
  count: oneOf({ Consecutive: "consecutive", Window: "window" })
    .describe("Consecutive: a success starts the count again. Window: every failure in the window counts.")
    .or(defaults.count),
  openDuration: duration({ min: 1, max: dayMs })
    .describe("How long it stays open before it tries again.")
    .or(defaults.openDurationMs),
  maxOpenDuration: duration({ min: 1, max: dayMs })
    .describe(
      "Each time that it opens again without having closed doubles openDuration, up to this, such as 10m. Absent: never.",
    )
    .optional(),
  successThreshold: integer({ min: 1, max: 10_000 })
    .describe("Probes that must succeed in a row before it closes.")
    .or(defaults.successThreshold),
  maxOpenPercent: number({ min: 0, max: 100 })
    .describe("The percentage of the Service's endpoints whose breakers may be open at once.")
    .or(defaults.maxOpenPercent),
  failures: list(oneOf<FailureKind>(defaults.failures), { min: 1, max: 16 })
    .map((kinds): readonly FailureKind[] => defaults.failures.filter((kind) => kinds.includes(kind)))
    .describe("What counts as a failure.")
    .or(defaults.failures),
  maxRequests: integer(most).describe("Concurrent requests per endpoint, from one sidecar.").optional(),
  maxConnections: integer(most)
    .describe("Connections that requests occupy alone (HTTP/1.1, upgrades, TCP), per endpoint, from one sidecar.")
    .optional(),
  maxPendingRequests: integer({ ...most, min: 0 })
    .describe("Requests that may wait for their turn while all endpoints are full, from one sidecar. Absent: none.")
    .optional(),
})
  .check({
    cel:
      "!has(self.maxOpenDuration) || " +
      "duration(has(self.openDuration) ? self.openDuration : '30s') <= duration(self.maxOpenDuration)",
    says: "maxOpenDuration must be at least openDuration",
    field: "maxOpenDuration",
    find: ({ openDuration, maxOpenDuration = openDuration }) =>
      openDuration <= maxOpenDuration
        ? undefined
        : `must be at least openDuration (${formatDuration(openDuration)}), got ${formatDuration(maxOpenDuration)}`,
  })
  .map((raw) => ({
    targets: raw.targetRefs,
    spec: {
      scope: raw.scope,
      failureThreshold: raw.failureThreshold,
      failureWindowMs: raw.failureWindow,
      count: raw.count,
      openDurationMs: raw.openDuration,
      successThreshold: raw.successThreshold,
      maxOpenPercent: raw.maxOpenPercent,
      failures: raw.failures,
      ...given({
        maxOpenDurationMs: raw.maxOpenDuration,
        maxRequests: raw.maxRequests,
        maxConnections: raw.maxConnections,
        maxPendingRequests: raw.maxPendingRequests,
      }),
    },
  }));
