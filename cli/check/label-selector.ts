/**
 * Kubernetes' label selectors, as used in NetworkPolicies. Pure.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
 */

import { listAt, textAt, textsAt, wordsAt } from "../cluster/fields.ts";

/** An empty selector selects everything; an unknown one selects nothing. */
export function isSelected(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  const matching = Object.entries(textsAt(selector, "matchLabels")).every(([key, value]) => labels[key] === value);
  return matching && listAt(selector, "matchExpressions").every((expression) => holds(expression, labels));
}

function holds(expression: unknown, labels: Readonly<Record<string, string>>): boolean {
  const key = textAt(expression, "key") ?? "";
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  const values = wordsAt(expression, "values");
  switch (textAt(expression, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case undefined:
    default:
      return false;
  }
}
