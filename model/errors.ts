/**
 * Every reason for which the mesh answers a request itself, and the one error class that carries it.
 *
 * The code travels to the caller as `tulle-error`; `docs/errors.md` explains each, and a test compares the two lists.
 * Only `sidecar/policy/rescue.ts` turns a code into an answer.
 */

/** What a code means to an HTTP caller and to a gRPC caller (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
interface ErrorMeaning {
  readonly http: number;
  readonly grpc: number;
  /** One plain sentence, the start of the answer's body. */
  readonly says: string;
}

const grpcInternal = 13;
const grpcUnavailable = 14;
const grpcDeadlineExceeded = 4;
const grpcPermissionDenied = 7;
const grpcUnimplemented = 12;
const grpcResourceExhausted = 8;
const grpcInvalidArgument = 3;
const grpcUnknown = 2;
const grpcFailedPrecondition = 9;
const grpcAborted = 10;

export const errorCodes = {
  ambiguous: {
    http: 502,
    grpc: grpcUnknown,
    says: "The request may have been processed, and the only pod that would know is gone.",
  },
  answer_not_taken: {
    http: 408,
    grpc: grpcDeadlineExceeded,
    says: "The client did not take the answer in time.",
  },
  bad_request: { http: 400, grpc: grpcInternal, says: "The request is not valid HTTP." },
  bad_response: { http: 502, grpc: grpcInternal, says: "The upstream's answer is not valid HTTP." },
  circuit_open: { http: 503, grpc: grpcUnavailable, says: "Every endpoint's circuit breaker is open." },
  connect_failed: { http: 503, grpc: grpcUnavailable, says: "No connection to the endpoint could be made." },
  connect_timeout: { http: 504, grpc: grpcUnavailable, says: "The endpoint did not accept a connection in time." },
  deadline_exceeded: {
    http: 504,
    grpc: grpcDeadlineExceeded,
    says: "The caller's deadline passed before the answer came.",
  },
  destination_unknown: { http: 502, grpc: grpcUnavailable, says: "The name of the destination could not be resolved." },
  fault_injected: { http: 503, grpc: grpcUnavailable, says: "A FaultInjection made this request fail." },
  forbidden: { http: 403, grpc: grpcPermissionDenied, says: "An access policy does not admit this caller." },
  head_too_large: { http: 431, grpc: grpcResourceExhausted, says: "The header section is larger than the limit." },
  idle_timeout: {
    http: 504,
    grpc: grpcDeadlineExceeded,
    says: "Neither side sent a byte for longer than the idle timeout.",
  },
  idempotency_answer_lost: {
    http: 409,
    grpc: grpcFailedPrecondition,
    says: "A request with this Idempotency-Key was processed before, and its answer is not kept.",
  },
  idempotency_in_flight: {
    http: 409,
    grpc: grpcAborted,
    says: "A request with this Idempotency-Key is still being processed.",
  },
  idempotency_key_invalid: {
    http: 400,
    grpc: grpcInvalidArgument,
    says: "The Idempotency-Key is not one key of 1 to 255 printable characters.",
  },
  idempotency_key_missing: {
    http: 400,
    grpc: grpcInvalidArgument,
    says: "A request like this must carry an Idempotency-Key.",
  },
  idempotency_key_reused: {
    http: 422,
    grpc: grpcInvalidArgument,
    says: "The Idempotency-Key was used for another request.",
  },
  idempotency_store_failed: {
    http: 503,
    grpc: grpcUnavailable,
    says: "It can't be known now whether the request was processed before.",
  },
  identity_mismatch: {
    http: 503,
    grpc: grpcUnavailable,
    says: "The peer's certificate is not that of the expected workload.",
  },
  invalid_route: {
    http: 500,
    grpc: grpcUnavailable,
    says: "The request's route names a backend or a filter that can't be used.",
  },
  link_saturated: {
    http: 503,
    grpc: grpcUnavailable,
    says: "No stream to the endpoint became free in time.",
  },
  loop_detected: { http: 508, grpc: grpcInternal, says: "The destination is this sidecar itself." },
  mesh_port_unreachable: {
    http: 503,
    grpc: grpcUnavailable,
    says: "The endpoint is in the mesh, but its mesh port does not answer.",
  },
  no_endpoints: { http: 503, grpc: grpcUnavailable, says: "The service has no ready endpoint." },
  no_policy_yet: {
    http: 503,
    grpc: grpcUnavailable,
    says: "The control plane has not told this sidecar about the destination yet.",
  },
  no_route: { http: 404, grpc: grpcUnimplemented, says: "No route matches the request." },
  outside_denied: {
    http: 403,
    grpc: grpcPermissionDenied,
    says: "The destination is outside the mesh, and this pod may not call it.",
  },
  overloaded: { http: 503, grpc: grpcResourceExhausted, says: "A limit on concurrent or waiting requests is reached." },
  path_ambiguous: {
    http: 400,
    grpc: grpcInvalidArgument,
    says: "The path can be read in more than one way, and an access policy depends on it.",
  },
  rate_limited: {
    http: 429,
    grpc: grpcResourceExhausted,
    says: "More requests came than a rate limit admits.",
  },
  refused_stream: { http: 503, grpc: grpcUnavailable, says: "The peer refused the request before it looked at it." },
  request_timeout: { http: 504, grpc: grpcDeadlineExceeded, says: "The request took longer than its timeout." },
  request_too_slow: { http: 408, grpc: grpcDeadlineExceeded, says: "The request was not sent in time." },
  tls_failed: { http: 503, grpc: grpcUnavailable, says: "Mutual TLS with the endpoint failed." },
  try_timeout: { http: 504, grpc: grpcDeadlineExceeded, says: "The last try took longer than the timeout of a try." },
  unsupported: {
    http: 501,
    grpc: grpcUnimplemented,
    says: "The request asks for something that the mesh does not do.",
  },
  upstream_closed: {
    http: 502,
    grpc: grpcUnavailable,
    says: "The connection was closed before the whole answer came.",
  },
  upstream_reset: { http: 502, grpc: grpcUnavailable, says: "The upstream aborted the exchange." },
  uri_too_long: { http: 414, grpc: grpcInvalidArgument, says: "The request target is longer than the limit." },
  wrong_pod: { http: 421, grpc: grpcUnavailable, says: "The request was meant for another pod." },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * Whether the application may have seen the request:
 * `unprocessed` only where that is certain (no connection, REFUSED_STREAM, a GOAWAY below its id, 421).
 */
export type Processed = "unprocessed" | "maybe";

const noFields: MeshError["fields"] = [];

/** The root of all expected errors on the data path. Its message names what and where: `endpoint 10.1.2.3:8080`. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly processed: Processed;
  /** When asking again may help; travels as `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  /** Header fields that the answer has besides, as pairs of name and value. */
  readonly fields: readonly (readonly [name: string, value: string])[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; processed?: Processed; retryAfterMs?: number; fields?: MeshError["fields"] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MeshError";
    this.code = code;
    this.processed = options.processed ?? "maybe";
    this.retryAfterMs = options.retryAfterMs;
    this.fields = options.fields ?? noFields;
  }
}
