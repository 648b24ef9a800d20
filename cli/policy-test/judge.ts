/** Compares an explanation with what a case expects. */

import { formatDuration } from "../../model/duration.ts";
import type { Route } from "../../model/resources.ts";
import { triesWithoutPolicy } from "../../model/retry-verdict.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { Expectation } from "./policy-test.ts";

/** One line per unmet expectation: `timeout: expected 1s, got 2s`. */
export function unmetExpectations(expected: Expectation, explanation: Explanation, namespace: string): string[] {
  return [
    ...differs("route", expected.route, explanation.route?.name ?? "none"),
    ...unmetShares(expected.backends, explanation, namespace),
    ...differs("timeout", shown(expected.timeout), shown(explanation.route?.timeout.requestMs ?? 0)),
    ...differs("maxAttempts", expected.maxAttempts, triesOn(explanation.route)),
    ...unmetTries("retried", expected.retried, explanation),
    ...unmetTries("notRetried", expected.notRetried, explanation),
    ...unmetAccess(expected.access, explanation),
  ];
}

function triesOn(route: Route | undefined): number {
  return route === undefined ? 0 : (route.retry?.maxAttempts ?? triesWithoutPolicy);
}

function differs<T extends string | number | undefined>(what: string, expected: T | undefined, got: T): string[] {
  return expected === undefined || expected === got ? [] : [`${what}: expected ${expected}, got ${got}`];
}

function shown(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(ms);
}

/** Shares of weights are rarely round, so a hundredth of a percent is close enough. */
const nearPercent = 0.01;

function unmetShares(expected: Expectation["backends"], explanation: Explanation, namespace: string): string[] {
  if (expected === undefined) return [];
  const shares = new Map<string, number>();
  for (const { service, percent } of explanation.backends) {
    if (percent > 0) shares.set(service, (shares.get(service) ?? 0) + percent);
  }
  const wanted = new Map(
    [...expected].map(([name, percent]) => [name.includes("/") ? name : `${namespace}/${name}`, percent]),
  );
  const names = [...new Set([...wanted.keys(), ...shares.keys()])];
  return names.flatMap((name) => {
    const want = wanted.get(name) ?? 0;
    const got = shares.get(name) ?? 0;
    return Math.abs(want - got) <= nearPercent ? [] : [`backends: expected ${want} % for ${name}, got ${round(got)} %`];
  });
}

function round(percent: number): number {
  return Number(percent.toFixed(2));
}

function unmetTries(
  field: "retried" | "notRetried",
  outcomes: readonly string[] | undefined,
  explanation: Explanation,
): string[] {
  return (outcomes ?? []).flatMap((outcome) => {
    const found = explanation.tries.find((explained) => explained.outcome === outcome);
    if (found === undefined) {
      return explanation.tries.length === 0
        ? [`${field}: no route is taken, so nothing is tried`]
        : [
            `${field}: unknown outcome ${outcome}, known are ${explanation.tries.map((each) => each.outcome).join(", ")}`,
          ];
    }
    const { verdict } = found;
    if (verdict.retry === (field === "retried")) return [];
    return [`${field}: ${outcome} is ${verdict.retry ? "tried again" : `not tried again (${verdict.because})`}`];
  });
}

function unmetAccess(expected: Expectation["access"], explanation: Explanation): string[] {
  if (expected === undefined) return [];
  const asked = explanation.backends.filter(({ percent }) => percent > 0).flatMap(({ server }) => server);
  if (asked.length === 0) return [`access: expected ${expected}, but no workload is behind it`];
  return asked.flatMap(({ workload, port, access, by }) =>
    access === expected
      ? []
      : [`access: expected ${expected}, got ${access} of ${workload}:${port}${by === undefined ? "" : ` (${by})`}`],
  );
}
