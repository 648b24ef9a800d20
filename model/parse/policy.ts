/** A policy as a whole object: its kind, its name and its spec. */

import { type Policy, type PolicyKind, policyApiVersion } from "../policy-object.ts";
import { err, type FieldError, ok, type Result } from "../result.ts";
import { accessPolicySpec } from "./access-policy.ts";
import { circuitBreakerSpec } from "./circuit-breaker.ts";
import { faultInjectionSpec } from "./fault-injection.ts";
import { idempotencyPolicySpec } from "./idempotency-policy.ts";
import { readMetadata } from "./metadata.ts";
import { rateLimitSpec } from "./rate-limit.ts";
import { retryPolicySpec } from "./retry-policy.ts";
import { type OpenApiSchema, Place, type Schema, show } from "./schema.ts";
import { suggest } from "./suggest.ts";
import type { Attached } from "./targets.ts";
import { telemetryPolicySpec } from "./telemetry-policy.ts";
import { timeoutPolicySpec } from "./timeout-policy.ts";
import { trafficSplitSpec } from "./traffic-split.ts";

type Specs = { readonly [K in PolicyKind]: Schema<Attached<Extract<Policy, { kind: K }>["spec"]>> };

const specs: Specs = {
  AccessPolicy: accessPolicySpec,
  CircuitBreaker: circuitBreakerSpec,
  FaultInjection: faultInjectionSpec,
  IdempotencyPolicy: idempotencyPolicySpec,
  RateLimit: rateLimitSpec,
  RetryPolicy: retryPolicySpec,
  TelemetryPolicy: telemetryPolicySpec,
  TimeoutPolicy: timeoutPolicySpec,
  TrafficSplit: trafficSplitSpec,
};

/** Sorted. */
export const policyKinds = Object.keys(specs) as readonly PolicyKind[];

export function isPolicyKind(kind: string): kind is PolicyKind {
  return Object.hasOwn(specs, kind);
}

/** The structural schema of a kind's `spec`, for its CustomResourceDefinition. */
export function openApiOf(kind: PolicyKind): OpenApiSchema {
  return specs[kind].openApi;
}

/**
 * Reads an object of `tulle.dev`. An absent namespace means `default`, as in kubectl. `status` and the rest of `metadata` are
 * ignored.
 */
export function parsePolicy(object: unknown): Result<Policy, FieldError[]> {
  const errors: FieldError[] = [];
  const root = new Place("", errors);
  const whole = isRecord(object) ? object : {};
  if (whole !== object) root.fail(`must be an object, got ${show(object)}`);
  const { apiVersion, kind } = whole;
  if (apiVersion !== policyApiVersion) {
    root.field("apiVersion").fail(`must be ${policyApiVersion}, got ${show(apiVersion)}`);
  }
  for (const name of Object.keys(whole)) {
    if (!topLevel.includes(name)) root.field(name).fail(`unknown field${didYouMean(name, topLevel)}`);
  }
  if (typeof kind !== "string" || !isPolicyKind(kind)) {
    const allowed = `must be one of ${policyKinds.join(", ")}, got ${show(kind)}`;
    root.field("kind").fail(allowed + (typeof kind === "string" ? didYouMean(kind, policyKinds) : ""));
    return err(errors);
  }
  const { name, namespace } = readMetadata(whole["metadata"], root.field("metadata"));
  const attached = specs[kind].read(whole["spec"] ?? {}, root.field("spec"));
  if (errors.length > 0 || attached === undefined) return err(errors);
  return ok({ kind, namespace, name, ...attached } as Policy);
}

const topLevel = ["apiVersion", "kind", "metadata", "spec", "status"];

function didYouMean(word: string, known: readonly string[]): string {
  const nearest = suggest(word, known);
  return nearest === undefined ? "" : `, did you mean ${nearest}?`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
