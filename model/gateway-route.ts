/** HTTPRoute and GRPCRoute (https://gateway-api.sigs.k8s.io/reference/spec/) as read: names not yet looked up. */

import type { GrpcMethodMatch } from "./grpc-match.ts";
import type { RetryCondition, RetryPolicy, TimeoutPolicy } from "./policy.ts";
import type { RouteFilter, RouteMatch } from "./resources.ts";

export interface GatewayRoute {
  readonly kind: "HTTPRoute" | "GRPCRoute";
  readonly namespace: string;
  readonly name: string;
  /** Wall-clock time in ms since 1970; absent where there is none, as in a folder. */
  readonly createdAtUnixMs?: number;
  readonly parents: readonly RouteParent[];
  readonly hostnames: readonly string[];
  readonly rules: readonly RouteRule[];
}

export interface RouteParent {
  /** Empty for a Service. */
  readonly group: string;
  readonly kind: string;
  /** Absent: the route's. Another one makes it a consumer route: it holds for callers in the route's namespace only. */
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface RouteRule {
  readonly name?: string;
  /** Empty: all requests. */
  readonly matches: readonly RuleMatch[];
  readonly filters: readonly RouteFilter[];
  readonly mirrors: readonly { readonly backend: BackendRef; readonly percent: number }[];
  /** Empty, without a redirect: 500. */
  readonly backends: readonly RouteBackend[];
  readonly timeouts: RuleTimeouts;
  readonly retry?: RuleRetry;
  /** Fields that it has and the mesh does not carry out; never empty. */
  readonly unapplied?: readonly string[];
}

/** A gRPC method is in `path` already; as it was written it still counts for precedence. */
export interface RuleMatch extends RouteMatch {
  readonly grpc?: GrpcMethodMatch;
}

export interface RouteBackend {
  readonly backend: BackendRef;
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

export type BackendRef =
  | { readonly kind: "service"; readonly namespace?: string; readonly name: string; readonly port: number }
  /** Its share of the requests gets 500. `what`: kind and name, for the condition. */
  | { readonly kind: "unsupported"; readonly what: string };

/** 0: no limit; absent: what the TimeoutPolicy says. */
export interface RuleTimeouts {
  readonly requestMs?: number;
  readonly backendRequestMs?: number;
}

/** GEP-1731 (https://gateway-api.sigs.k8s.io/geps/gep-1731/). */
export interface RuleRetry {
  readonly codes?: readonly RetryCondition[];
  /** Retries, not tries. */
  readonly attempts?: number;
  readonly backoffMs?: number;
}

/** A rule's timeouts in front of a policy's, field by field. */
export function mergeTimeouts(inline: RuleTimeouts, policy: TimeoutPolicy): TimeoutPolicy {
  const { requestMs, perTryMs, ...rest } = policy;
  const request = inline.requestMs ?? requestMs ?? 0;
  const perTry = inline.backendRequestMs ?? perTryMs ?? 0;
  return { ...rest, ...(request > 0 && { requestMs: request }), ...(perTry > 0 && { perTryMs: perTry }) };
}

/**
 * A rule's retry in front of a policy's, field by field. Its codes take the place of the policy's HTTP statuses; failures
 * without an answer stay those of the policy.
 */
export function mergeRetry(inline: RuleRetry, policy: RetryPolicy): RetryPolicy {
  const { codes, attempts, backoffMs } = inline;
  return {
    ...policy,
    ...(codes && { retryOn: [...policy.retryOn.filter((condition) => !/^\d/.test(condition)), ...codes] }),
    ...(attempts !== undefined && { maxAttempts: attempts + 1 }),
    ...(backoffMs !== undefined && {
      initialDelayMs: backoffMs,
      maxDelayMs: Math.max(backoffMs, policy.maxDelayMs),
    }),
  };
}
