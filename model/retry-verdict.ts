/**
 * Decides whether a try that ended is followed by another. It only judges: it neither waits, nor sends, nor counts. The layer
 * that asks withdraws from the budget, as the last thing before it sends, unless the verdict says `reachedNobody`.
 */

import { backoffDelayMs } from "./backoff.ts";
import type { Random } from "./clock.ts";
import { type ErrorCode, errorCodes } from "./errors.ts";
import type { GrpcCondition, RetryCondition, RetryPolicy } from "./policy.ts";
import { grpcStatus, type TryOutcome } from "./try-outcome.ts";

/** The properties of a request that matter for sending it again. */
export interface RetryableRequest {
  readonly method: string;
  readonly grpc: boolean;
  /** It carries an `Idempotency-Key`, and its target has an IdempotencyPolicy. */
  readonly idempotencyKey: boolean;
  /** All of the body that was sent is still available. */
  readonly bodyReplayable: boolean;
  /** Time left until the caller's deadline or the policy's, whichever is first; infinite: there is none. */
  readonly remainingMs: number;
}

/**
 * Why a try is the last one. All but `succeeded` are counted, so that every retry that did not happen has a reason. The last
 * three are determined by the sending layer, not here.
 */
const retryRefusals = [
  "succeeded",
  "not_retryable",
  "attempts_exhausted",
  "not_idempotent",
  "body_too_large",
  "retried_below",
  "retry_after_too_long",
  "deadline_too_near",
  "retry_budget_exhausted",
  "answer_begun",
  "abandoned",
] as const;

export type RetryRefusal = (typeof retryRefusals)[number];

export type RetryVerdict =
  | { readonly retry: true; readonly reason: RetryCondition | "unprocessed"; readonly delayMs: number }
  | { readonly retry: false; readonly because: RetryRefusal };

/** Without a policy: how many tries in all, for a request that certainly was not processed. */
export const triesWithoutPolicy = 2;

/**
 * Judges the try that is number `attempt` (1 is the first).
 *
 * A try that failed without a response is judged by how it failed (`connect-failure`, `reset` …) and by the status that the
 * mesh would answer with: so `504` covers a try's timeout, and on gRPC `unavailable` covers a lost connection.
 */
export function retryVerdict(
  policy: RetryPolicy | undefined,
  request: RetryableRequest,
  attempt: number,
  outcome: TryOutcome,
  random: Random,
): RetryVerdict {
  if (succeeded(outcome)) return refusals.succeeded;
  const unprocessed = isUnprocessed(outcome);
  if (policy === undefined) {
    if (!unprocessed || isOwnDecision(outcome)) return refusals.not_retryable;
    if (attempt >= triesWithoutPolicy) return refusals.attempts_exhausted;
    if (!request.bodyReplayable) return refusals.body_too_large;
    return { retry: true, reason: "unprocessed", delayMs: 0 };
  }
  const reason = listedCondition(policy.retryOn, request.grpc, outcome);
  if (reason === undefined) return refusals.not_retryable;
  if (attempt >= policy.maxAttempts) return refusals.attempts_exhausted;
  if (!unprocessed) {
    if (wasRetriedBelow(outcome)) return refusals.retried_below;
    if (!mayRepeat(policy, request, reason)) return refusals.not_idempotent;
  }
  if (!request.bodyReplayable) return refusals.body_too_large;
  const retryAfterMs = retryAfterOf(outcome);
  if (retryAfterMs > policy.maxDelayMs) return refusals.retry_after_too_long;
  const delayMs = Math.max(backoffDelayMs(policy, attempt, random), retryAfterMs);
  if (delayMs >= request.remainingMs) return refusals.deadline_too_near;
  return { retry: true, reason, delayMs };
}

/**
 * Whether no hop above may retry a request whose last try was number `attempt`: it was retried here or below, or would have
 * been if there were budget or time for it. Otherwise each hop of a chain would retry, and the number of tries would multiply.
 */
export function isSettledForAll(because: RetryRefusal, attempt: number, outcome: TryOutcome): boolean {
  return attempt > 1 || wasRetriedBelow(outcome) || tooMuch.has(because);
}

const tooMuch: ReadonlySet<RetryRefusal> = new Set([
  "retry_after_too_long",
  "deadline_too_near",
  "retry_budget_exhausted",
]);

function wasRetriedBelow(outcome: TryOutcome): boolean {
  return outcome.kind === "answer" && outcome.retriedBelow;
}

/** One shared object per refusal: most verdicts are about tries that did not fail. */
const refusals = Object.fromEntries(retryRefusals.map((because) => [because, { retry: false, because }])) as Record<
  RetryRefusal,
  RetryVerdict
>;

function succeeded(outcome: TryOutcome): boolean {
  return outcome.kind === "answer" && outcome.status < 400 && (outcome.grpcStatus ?? 0) === 0;
}

/** 421: the address belongs to another pod now, which did not look at the request. */
function isUnprocessed(outcome: TryOutcome): boolean {
  return outcome.kind === "failure" ? outcome.processed === "unprocessed" : outcome.status === 421;
}

/**
 * No link to the pod could be made, so nobody saw the request. Links have a backoff of their own, so trying again is no load
 * on anybody and is not paid for. If a pod's first connection is late, all requests that wait for it fail at once.
 */
export function reachedNobody(outcome: TryOutcome): boolean {
  return outcome.kind === "failure" && outcome.processed === "unprocessed" && linkFailures.has(outcome.code);
}

const linkFailures: ReadonlySet<ErrorCode> = new Set(["connect_timeout", "mesh_port_unreachable", "tls_failed"]);

/** The mesh itself answered (`circuit_open`, `no_endpoints` …), and would answer the same again. */
function isOwnDecision(outcome: TryOutcome): boolean {
  return outcome.kind === "failure" && failedTries[outcome.code] === undefined;
}

/** Whether a request may be sent again although it may have been processed. Idempotent methods: RFC 9110 §9.2.2. */
function mayRepeat(policy: RetryPolicy, request: RetryableRequest, reason: RetryCondition): boolean {
  if (policy.retryNonIdempotent || request.idempotencyKey) return true;
  if (request.grpc) return Object.hasOwn(grpcConditions, reason);
  return idempotentMethods.has(request.method);
}

const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

function retryAfterOf(outcome: TryOutcome): number {
  if (outcome.kind === "failure" || (outcome.status !== 429 && outcome.status !== 503)) return 0;
  return outcome.retryAfterMs ?? 0;
}

/** The condition of `retryOn` that the outcome meets: the failure first, then the gRPC status, then the HTTP status. */
function listedCondition(
  retryOn: readonly RetryCondition[],
  grpc: boolean,
  outcome: TryOutcome,
): RetryCondition | undefined {
  for (const condition of conditionsOf(grpc, outcome)) if (retryOn.includes(condition)) return condition;
  return undefined;
}

function conditionsOf(grpc: boolean, outcome: TryOutcome): RetryCondition[] {
  if (outcome.kind === "answer") {
    if (outcome.status === 421) return ["refused-stream"];
    if (grpc && outcome.grpcStatus !== undefined) return grpcConditionOf(outcome.grpcStatus);
    return httpConditionsOf(outcome.status);
  }
  const what = failedTries[outcome.code];
  if (what === undefined) return [];
  const meaning = errorCodes[outcome.code];
  const asStatus = grpc ? grpcConditionOf(meaning.grpc) : httpConditionsOf(meaning.http);
  return what === "timeout" ? asStatus : [what, ...asStatus].flat();
}

/** The failures of a single try. All others are the mesh's own decisions, which another try would not change. */
const failedTries: Partial<Record<ErrorCode, RetryCondition | readonly RetryCondition[] | "timeout">> = {
  bad_response: "reset",
  connect_failed: "connect-failure",
  connect_timeout: "connect-timeout",
  identity_mismatch: "connect-failure",
  link_saturated: "refused-stream",
  // Refused, or not answered in time.
  mesh_port_unreachable: ["connect-failure", "connect-timeout"],
  refused_stream: "refused-stream",
  tls_failed: "connect-failure",
  try_timeout: "timeout",
  upstream_closed: "reset",
  upstream_reset: "reset",
  wrong_pod: "refused-stream",
};

function httpConditionsOf(status: number): RetryCondition[] {
  switch (status) {
    case 429:
      return ["429"];
    case 500:
      return ["500", "5xx"];
    case 502:
      return ["502", "5xx"];
    case 503:
      return ["503", "5xx"];
    case 504:
      return ["504", "5xx"];
    default:
      return status >= 500 && status <= 599 ? ["5xx"] : [];
  }
}

/** The gRPC statuses that `retryOn` may name. */
export const grpcConditions: Readonly<Record<GrpcCondition, number>> = {
  cancelled: grpcStatus.cancelled,
  unknown: grpcStatus.unknown,
  "deadline-exceeded": grpcStatus.deadlineExceeded,
  "resource-exhausted": grpcStatus.resourceExhausted,
  aborted: grpcStatus.aborted,
  internal: grpcStatus.internal,
  unavailable: grpcStatus.unavailable,
  "data-loss": grpcStatus.dataLoss,
};

const grpcConditionByStatus = new Map(
  Object.entries(grpcConditions).map(([name, status]) => [status, name as GrpcCondition]),
);

function grpcConditionOf(status: number): GrpcCondition[] {
  const condition = grpcConditionByStatus.get(status);
  return condition === undefined ? [] : [condition];
}
