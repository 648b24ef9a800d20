/** Policies as objects: what they are called, what they attach to, and what they say. */

import type {
  AccessPolicy,
  CircuitBreakerPolicy,
  FaultPolicy,
  IdempotencyPolicy,
  RateLimitPolicy,
  RetryPolicy,
  TelemetryPolicy,
  TimeoutPolicy,
  TrafficSplit,
} from "./policy.ts";

export const policyApiVersion = "tulle.dev/v1alpha1";

/** What a policy attaches to, in its own namespace. */
export interface TargetRef {
  readonly kind: "Service" | "HTTPRoute" | "GRPCRoute";
  readonly name: string;
  /** A port of the Service, by name or number, or a rule of the route, by name. */
  readonly sectionName?: string;
}

interface PolicyOf<Kind extends string, Spec> {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** Empty: the default of its namespace. */
  readonly targets: readonly TargetRef[];
  readonly spec: Spec;
}

export type Policy =
  | PolicyOf<"AccessPolicy", AccessPolicy>
  | PolicyOf<"CircuitBreaker", CircuitBreakerPolicy>
  | PolicyOf<"FaultInjection", FaultPolicy>
  | PolicyOf<"IdempotencyPolicy", IdempotencyPolicy>
  | PolicyOf<"RateLimit", RateLimitPolicy>
  | PolicyOf<"RetryPolicy", RetryPolicy>
  | PolicyOf<"TelemetryPolicy", TelemetryPolicy>
  | PolicyOf<"TimeoutPolicy", TimeoutPolicy>
  | PolicyOf<"TrafficSplit", TrafficSplit>;

export type PolicyKind = Policy["kind"];

/** Under which the API serves a kind, and `kubectl` knows it: `accesspolicies`. */
export function pluralOf(kind: PolicyKind): string {
  const singular = kind.toLowerCase();
  return singular.endsWith("y") ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}
