/**
 * The policies as sidecars apply them: plain data, parsed, with defaults filled in and times in milliseconds, comparable by
 * content. An absent field means "off". What users write is read by the parsers in `parse/`.
 */

import type { PathMatch, RouteMatch } from "./resources.ts";

/** What may be retried. Names as users write them; HTTP statuses as strings. */
export type RetryCondition =
  | "connect-failure"
  | "connect-timeout"
  | "refused-stream"
  | "reset"
  | "5xx"
  | "429"
  | "500"
  | "502"
  | "503"
  | "504"
  | GrpcCondition;

/** gRPC statuses that may be retried (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), lower case, with dashes. */
export type GrpcCondition =
  | "cancelled"
  | "unknown"
  | "deadline-exceeded"
  | "resource-exhausted"
  | "aborted"
  | "internal"
  | "unavailable"
  | "data-loss";

export interface RetryPolicy {
  /** Tries in all, the first included; at least 1. */
  readonly maxAttempts: number;
  readonly initialDelayMs: number;
  readonly backoffMultiplier: number;
  readonly maxDelayMs: number;
  /** How much each delay varies either way, as a share of it, 0 to 1. */
  readonly jitter: number;
  readonly perTryTimeoutMs?: number;
  readonly retryOn: readonly RetryCondition[];
  readonly budget: RetryBudgetPolicy;
  /** Retry POST and PATCH even if the first try may have been processed. */
  readonly retryNonIdempotent: boolean;
}

export interface RetryBudgetPolicy {
  /** Retries allowed, as a percentage of the first tries within the window. */
  readonly percent: number;
  readonly windowMs: number;
  /** Retries per second that are always allowed. */
  readonly minRetriesPerSecond: number;
}

export interface TimeoutPolicy {
  /** From request head to last response byte, all tries together. */
  readonly requestMs?: number;
  readonly perTryMs?: number;
  /** The longest silence, in both directions. */
  readonly idleMs?: number;
  readonly connectMs?: number;
}

/** Which failures are counted: those since the last success, or all within the window. */
export type FailureCount = "consecutive" | "window";

/** What counts as a failure of an endpoint. */
export type FailureKind =
  | "5xx"
  | "connect-failure"
  | "timeout"
  | "grpc-unavailable"
  | "grpc-internal"
  | "grpc-deadline-exceeded"
  | "grpc-data-loss";

export interface CircuitBreakerPolicy {
  readonly scope: "endpoint" | "service";
  readonly failureThreshold: number;
  readonly failureWindowMs: number;
  readonly count: FailureCount;
  readonly openDurationMs: number;
  /** Each time it opens again without having closed, the open time doubles, up to this. Absent: it stays the same. */
  readonly maxOpenDurationMs?: number;
  /** Successful probes in a row that close a half-open breaker. */
  readonly successThreshold: number;
  /** The share of a service's endpoints that may be open at once, 0 to 100. */
  readonly maxOpenPercent: number;
  readonly failures: readonly FailureKind[];
  /** Requests in progress, per endpoint. */
  readonly maxRequests?: number;
  /** Requests in progress that each occupy a connection to the application: HTTP/1.1, upgraded, TCP; per endpoint. */
  readonly maxConnections?: number;
  /** Requests that may wait while every endpoint is full; absent: none. */
  readonly maxPendingRequests?: number;
}

/** How the requests to one Service are distributed over others. */
export interface TrafficSplit {
  /** The Service that is dialled, in the policy's namespace. */
  readonly service: string;
  /** One of its ports; absent: all. */
  readonly port?: number;
  /** Tried in order before `backends`: a request that matches goes to the backends of that entry. */
  readonly match: readonly SplitMatch[];
  readonly backends: readonly SplitBackend[];
  readonly sticky?: Sticky;
  readonly mirror?: Mirror;
}

export interface SplitMatch {
  readonly match: RouteMatch;
  readonly backends: readonly SplitBackend[];
}

export interface SplitBackend {
  /** Absent: the policy's namespace. Another one needs a ReferenceGrant there. */
  readonly namespace?: string;
  readonly service: string;
  /** Absent: the port that was dialled. */
  readonly port?: number;
  /** A share of the sum of all weights. 0 is allowed, and the Service need not exist then. */
  readonly weight: number;
}

/** Where to find the key that keeps a client at one backend. A request without it is split by weight. */
export interface Sticky {
  readonly by: "header" | "cookie";
  /** A header's name in lower case, a cookie's as written. */
  readonly name: string;
}

/** Copies of some requests are sent to another Service; its responses are dropped. */
export interface Mirror {
  readonly namespace?: string;
  readonly service: string;
  readonly port?: number;
  /** 0 to 100. */
  readonly percent: number;
}

/** Narrows which pods and ports a server-side policy applies to, beyond what its targets say. */
export interface ServerScope {
  /** Labels that the pod must have, sorted by name; absent: any pod. */
  readonly labels?: readonly (readonly [name: string, value: string])[];
  /** Container ports, sorted; absent: all. */
  readonly ports?: readonly number[];
}

/** Who may call what. */
export interface AccessPolicy extends ServerScope {
  /** Absent: this policy only sets `mtls`. */
  readonly access?: AccessRules;
  readonly mtls?: MtlsMode;
}

/** `strict`: plaintext is refused. */
export type MtlsMode = "strict" | "permissive";

export interface AccessRules {
  readonly action: "allow" | "deny";
  /** `audit`: decides nothing; what it would have refused is counted. */
  readonly mode: "enforce" | "audit";
  /** A request matches if any of these rules does; an empty list matches none. */
  readonly rules: readonly AccessRule[];
}

/** The rules as a sidecar receives them: with the policy's name, `shop/payments`, for logs and metrics. */
export interface NamedAccessRules extends AccessRules {
  readonly name: string;
}

/** Each given part must match; an empty list matches all. */
export interface AccessRule {
  readonly from: readonly CallerMatch[];
  readonly methods: readonly string[];
  readonly paths: readonly PathMatch[];
}

export type CallerMatch =
  | { readonly kind: "identity"; readonly id: string }
  /** Absent trust domain: the mesh's own. */
  | { readonly kind: "namespace"; readonly namespace: string; readonly trustDomain?: string }
  | { readonly kind: "trust-domain"; readonly trustDomain: string };

/** How many requests a pod accepts, over all ports that the policy selects. Each sidecar counts for itself. */
export interface RateLimitPolicy extends ServerScope {
  /** All of them must admit a request. */
  readonly limits: readonly RateLimit[];
}

/** As a port's sidecar has them: with their policy's name, `shop/payments`. */
export interface NamedRateLimits {
  readonly name: string;
  readonly limits: readonly RateLimit[];
}

export interface RateLimit extends TokenRate {
  /** Whether all callers share one bucket, or each SPIFFE id has its own. Callers without one share one. */
  readonly by: "all" | "client";
  /** Which requests it counts: those that any of these matches; an empty list: all. */
  readonly matches: readonly RouteMatch[];
}

/** `requests` tokens are added per `perMs`, evenly; at most `burst` accumulate. */
export interface TokenRate {
  readonly requests: number;
  readonly perMs: number;
  readonly burst: number;
}

/** Faults that are made on purpose, by the caller's sidecar, until a set time. */
export interface FaultPolicy {
  /** Wall-clock time in ms since 1970. */
  readonly untilUnixMs: number;
  /** Which requests it affects: those that any of these matches; an empty list: all. */
  readonly matches: readonly RouteMatch[];
  readonly delay?: { readonly delayMs: number; readonly percent: number };
  readonly abort?: FaultAbort & { readonly percent: number };
}

export type FaultAbort =
  | { readonly kind: "http"; readonly status: number }
  /** A status code of gRPC, 1 to 16. */
  | { readonly kind: "grpc"; readonly status: number };

/** At least one of the two is present; for the other, the sidecar's own settings apply. */
export interface TelemetryPolicy {
  /** The share of traces to record, 0 to 1, of those whose caller has not decided already. */
  readonly samplingRatio?: number;
  readonly accessLog?: AccessLog;
}

/** Which requests sidecars log. */
export interface AccessLog {
  /** `errors`: answered by the mesh itself, not completed, or with a status from 500 on or its gRPC equivalent. */
  readonly requests: "none" | "errors" | "all";
  /** The share of those requests to log, 0 to 1. */
  readonly ratio: number;
}

/** Requests with the same key are processed once; the answer is kept and returned to repeats. */
export interface IdempotencyPolicy extends ServerScope, IdempotencyRules {}

/** As a port's sidecar has them: with their policy's name, `shop/payments`. */
export interface NamedIdempotencyRules extends IdempotencyRules {
  readonly name: string;
}

export interface IdempotencyRules {
  /** Sorted; never empty. */
  readonly methods: readonly string[];
  /** A request of these methods without a key is refused. */
  readonly required: boolean;
  readonly ttlMs: number;
  /** If an answer's body is longer, the answer is not kept. */
  readonly maxAnswerBytes: number;
  readonly store: AnswerStore;
  /** What happens to keyed requests while the store can't be reached. */
  readonly onStoreFailure: "reject" | "allow";
}

/** Where answers are kept: in each sidecar for itself, or for all replicas together. */
export type AnswerStore = "memory" | "redis";
