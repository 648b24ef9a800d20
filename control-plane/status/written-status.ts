/**
 * Computes the next content of an object's `status` from what is true, or nothing if the status says so already. What others have
 * written there (conditions of other types, other controllers' parents) stays as it is. Pure.
 */

import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../source/kube-object.ts";
import type { Condition } from "./condition.ts";
import type { PolicyStatus } from "./policy-status.ts";
import { controllerName, type ParentStatus, type RouteStatus } from "./route-status.ts";

/** As in `metav1.Condition`. */
export interface WrittenCondition extends Condition {
  readonly observedGeneration?: number;
  /** When `status` last changed; RFC 3339. */
  readonly lastTransitionTime: string;
}

/** The API server's limit (`metav1.Condition`), in characters. */
const maxMessageLength = 32_768;

const ownTypes: ReadonlySet<unknown> = new Set<Condition["type"]>([
  "Accepted",
  "ResolvedRefs",
  "PartiallyInvalid",
  "Programmed",
]);

/** `current` is the status as it stands, unchecked. Undefined: it already says all of this. */
export function nextPolicyStatus(
  current: unknown,
  { conditions, observedGeneration }: Pick<PolicyStatus, "conditions" | "observedGeneration">,
  now: string,
): { readonly conditions: readonly unknown[] } | undefined {
  const before = listOf(current, "conditions");
  const next = mergeConditions(before, conditions, observedGeneration, now);
  return isDeepStrictEqual(before, next) ? undefined : { conditions: next };
}

/** Like `nextPolicyStatus`, for `parents[]`. */
export function nextRouteStatus(
  current: unknown,
  { parents, observedGeneration }: Pick<RouteStatus, "parents" | "observedGeneration">,
  now: string,
): { readonly parents: readonly unknown[] } | undefined {
  const before = listOf(current, "parents");
  const others = before.filter((entry) => !isRecord(entry) || entry["controllerName"] !== controllerName);
  const own = before.filter((entry) => !others.includes(entry));
  const written = parents.map((parent) => mergeParent(own, parent, observedGeneration, now));
  const next = [...others, ...written];
  return isDeepStrictEqual(new Set(before), new Set(next)) ? undefined : { parents: next };
}

function mergeParent(
  own: readonly unknown[],
  { parentRef, conditions }: ParentStatus,
  generation: number | undefined,
  now: string,
): object {
  const before = own.find((entry) => isRecord(entry) && isDeepStrictEqual(entry["parentRef"], { ...parentRef }));
  const merged = mergeConditions(listOf(before, "conditions"), conditions, generation, now);
  return { parentRef: { ...parentRef }, controllerName, conditions: merged };
}

function mergeConditions(
  before: readonly unknown[],
  conditions: readonly Condition[],
  generation: number | undefined,
  now: string,
): unknown[] {
  const others = before.filter((entry) => !isRecord(entry) || !ownTypes.has(entry["type"]));
  const written = conditions.map(({ type, status, reason, message }): WrittenCondition => {
    const former = before.find((entry) => isRecord(entry) && entry["type"] === type);
    // What is known of this generation stands until something else is known.
    if (status === "Unknown" && isWritten(former, generation)) return former;
    const { status: formerStatus, lastTransitionTime } = isRecord(former) ? former : {};
    const since = formerStatus === status && typeof lastTransitionTime === "string" ? lastTransitionTime : now;
    return {
      type,
      status,
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: since,
      reason,
      message: cut(message),
    };
  });
  return [...written, ...others];
}

function isWritten(entry: unknown, generation: number | undefined): entry is WrittenCondition {
  return isRecord(entry) && entry["status"] !== "Unknown" && entry["observedGeneration"] === generation;
}

function cut(message: string): string {
  return message.length > maxMessageLength ? `${message.slice(0, maxMessageLength - 1)}…` : message;
}

function listOf(value: unknown, field: string): readonly unknown[] {
  const list = isRecord(value) ? value[field] : undefined;
  return Array.isArray(list) ? list : [];
}
