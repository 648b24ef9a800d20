/** A policy's defaults: the one place for these numbers, also for resource schemas and docs. */

import type {
  CircuitBreakerPolicy,
  IdempotencyPolicy,
  RetryBudgetPolicy,
  RetryPolicy,
  TimeoutPolicy,
} from "./policy.ts";
import type { Protocol } from "./resources.ts";

/** SMTP, MySQL, Galera and Elasticsearch's transport: the server speaks first, or detection would only cost time. */
const opaquePorts = new Set([25, 587, 3306, 4444, 9300]);

/** How the bytes on a port are read if nobody declares it. */
export function undeclaredProtocol(port: number): Protocol {
  return opaquePorts.has(port) ? "opaque" : "detect";
}

export const defaultRetryBudget: RetryBudgetPolicy = { percent: 20, windowMs: 10_000, minRetriesPerSecond: 10 };

/** For an object of kind RetryPolicy. Without one, see `retryVerdict`. */
export const defaultRetryPolicy: RetryPolicy = {
  maxAttempts: 3,
  initialDelayMs: 100,
  backoffMultiplier: 2,
  maxDelayMs: 5000,
  jitter: 0.2,
  retryOn: ["connect-failure", "connect-timeout", "refused-stream", "503", "429"],
  budget: defaultRetryBudget,
  retryNonIdempotent: false,
};

/** For an object of kind TimeoutPolicy. */
export const defaultTimeoutPolicy: TimeoutPolicy = { requestMs: 30_000, idleMs: 300_000, connectMs: 1000 };

/** Where no TimeoutPolicy applies. */
export const withoutTimeoutPolicy: TimeoutPolicy = { connectMs: 1000 };

/** For an object of kind CircuitBreaker; without one there is no breaker. */
export const defaultCircuitBreakerPolicy: CircuitBreakerPolicy = {
  scope: "endpoint",
  failureThreshold: 5,
  failureWindowMs: 60_000,
  count: "consecutive",
  openDurationMs: 30_000,
  successThreshold: 3,
  maxOpenPercent: 100,
  failures: [
    "5xx",
    "connect-failure",
    "timeout",
    "grpc-unavailable",
    "grpc-internal",
    "grpc-deadline-exceeded",
    "grpc-data-loss",
  ],
};

/** For an object of kind IdempotencyPolicy. */
export const defaultIdempotencyPolicy: IdempotencyPolicy = {
  methods: ["PATCH", "POST"],
  required: false,
  ttlMs: 24 * 3_600_000,
  maxAnswerBytes: 1024 * 1024,
  store: "memory",
  onStoreFailure: "reject",
};
