/** What would follow each kind of failed first try, according to the same verdict that the sidecar uses. */

import type { ErrorCode, Processed } from "../../model/errors.ts";
import type { RetryPolicy } from "../../model/policy.ts";
import { grpcConditions, type RetryableRequest, type RetryVerdict, retryVerdict } from "../../model/retry-verdict.ts";
import type { TryOutcome } from "../../model/try-outcome.ts";
import { isGrpc } from "../../sidecar/policy/grpc.ts";
import type { DescribedRequest } from "./described-request.ts";

export interface ExplainedTry {
  /** `connect-failure`, `reset`, `503` …; on gRPC also `unavailable` … */
  readonly outcome: string;
  readonly verdict: RetryVerdict;
}

/** Uses the middle of the delay's jitter. */
const middle = (): number => 0.5;

/**
 * The retry budget is not considered: it depends on other traffic. The body is assumed to be short enough to be sent again, and
 * the first try to fail at once, so `requestMs` is the time left; undefined: no limit. `idempotencyKey`: the request's target
 * recognizes its key.
 */
export function explainTries(
  policy: RetryPolicy | undefined,
  requestMs: number | undefined,
  request: DescribedRequest,
  idempotencyKey: boolean,
): ExplainedTry[] {
  const retryable: RetryableRequest = {
    // As in the sidecar: a request that may become a tunnel is retried like a tunnel, and has no key.
    method: request.upgrade === undefined ? request.method : "CONNECT",
    grpc: isGrpc(request),
    idempotencyKey: idempotencyKey && request.upgrade === undefined,
    bodyReplayable: true,
    remainingMs: requestMs ?? Number.POSITIVE_INFINITY,
  };
  return (retryable.grpc ? [...outcomes, ...grpcOutcomes] : outcomes).map(([outcome, how]) => {
    return { outcome, verdict: retryVerdict(policy, retryable, 1, how, middle) };
  });
}

type NamedOutcome = readonly [name: string, TryOutcome];

const outcomes: readonly NamedOutcome[] = [
  ["connect-failure", failure("connect_failed", "unprocessed")],
  ["connect-timeout", failure("connect_timeout", "unprocessed")],
  ["refused-stream", failure("refused_stream", "unprocessed")],
  ["reset", failure("upstream_reset", "maybe")],
  ["timeout", failure("try_timeout", "maybe")],
  ["429", answer(429)],
  ["500", answer(500)],
  ["502", answer(502)],
  ["503", answer(503)],
  ["504", answer(504)],
];

/** Answers that consist of a status alone: a status after messages is no longer judged. */
const grpcOutcomes = Object.entries(grpcConditions).map(
  ([name, grpcStatus]): NamedOutcome => [name, { kind: "answer", status: 200, grpcStatus, retriedBelow: false }],
);

function failure(code: ErrorCode, processed: Processed): TryOutcome {
  return { kind: "failure", code, processed };
}

function answer(status: number): TryOutcome {
  return { kind: "answer", status, retriedBelow: false };
}
