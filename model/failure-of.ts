/** What a circuit breaker counts against an endpoint. */

import type { ErrorCode } from "./errors.ts";
import type { FailureKind } from "./policy.ts";
import { grpcStatus, type TryOutcome } from "./try-outcome.ts";

/** The kind of failure that an outcome is, if the policy counts it; undefined: no failure. */
export function failureOf(outcome: TryOutcome, counted: readonly FailureKind[]): FailureKind | undefined {
  const kind = outcome.kind === "failure" ? kindOfCode[outcome.code] : kindOfAnswer(outcome.status, outcome.grpcStatus);
  return kind !== undefined && counted.includes(kind) ? kind : undefined;
}

/** Whether a failure without a response says anything about the endpoint: what the caller caused itself does not. */
export function concernsEndpoint(code: ErrorCode): boolean {
  return kindOfCode[code] !== undefined;
}

function kindOfAnswer(status: number, grpc: number | undefined): FailureKind | undefined {
  if (status >= 500) return "5xx";
  return grpc === undefined ? undefined : kindOfGrpcStatus[grpc];
}

const kindOfGrpcStatus: Readonly<Record<number, FailureKind>> = {
  [grpcStatus.unavailable]: "grpc-unavailable",
  [grpcStatus.internal]: "grpc-internal",
  [grpcStatus.deadlineExceeded]: "grpc-deadline-exceeded",
  [grpcStatus.dataLoss]: "grpc-data-loss",
};

/**
 * Failures without a response. A cut or malformed response counts as the 5xx that the mesh makes of it; a refused stream
 * as an application that accepts no connection. What the caller caused itself (its own deadline, its own limits) is
 * absent.
 */
const kindOfCode: Partial<Record<ErrorCode, FailureKind>> = {
  bad_response: "5xx",
  connect_failed: "connect-failure",
  connect_timeout: "connect-failure",
  identity_mismatch: "connect-failure",
  idle_timeout: "timeout",
  mesh_port_unreachable: "connect-failure",
  refused_stream: "connect-failure",
  request_timeout: "timeout",
  tls_failed: "connect-failure",
  try_timeout: "timeout",
  upstream_closed: "5xx",
  upstream_reset: "5xx",
  wrong_pod: "connect-failure",
};
