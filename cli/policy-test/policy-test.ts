/**
 * A PolicyTest: requests, and what must happen to them.
 *
 * ```yaml
 * apiVersion: tulle.dev/v1alpha1
 * kind: PolicyTest
 * metadata: { name: canary, namespace: shop }
 * spec:
 *   cases:
 *     - name: testers get v2
 *       when: { method: GET, url: http://catalog/items, from: shop/web, headers: { x-canary: "1" } }
 *       expect: { backends: { catalog-v2: 100 }, timeout: 1s, retried: ["503"], access: admitted }
 * ```
 * It is a file for `tulle test` only: no cluster has the kind.
 */

import { duration, integer, number, text } from "../../model/parse/scalars.ts";
import { list, map, object, oneOf, type Schema } from "../../model/parse/schema.ts";

export interface PolicyCase {
  readonly name: string | undefined;
  readonly when: {
    readonly method: string;
    readonly url: string;
    readonly from: string | undefined;
    readonly headers: ReadonlyMap<string, string>;
  };
  readonly expect: Expectation;
}

/** An absent field may have any value. */
export interface Expectation {
  /** The name in `tulle explain`; `none`: no route matches. */
  readonly route: string | undefined;
  /** Percent by Service, `catalog-v2` or `shop/catalog-v2`; Services that get nothing are left out. */
  readonly backends: ReadonlyMap<string, number> | undefined;
  /** The timeout of the whole request, in ms; 0: none. */
  readonly timeout: number | undefined;
  readonly maxAttempts: number | undefined;
  /** Outcomes of a first try after which there must be another, in the words of `tulle explain`. */
  readonly retried: readonly string[] | undefined;
  readonly notRetried: readonly string[] | undefined;
  /** The answer that every workload behind the route's backends must give. */
  readonly access: "admitted" | "forbidden" | "path_ambiguous" | "plaintext" | undefined;
}

const longestMs = 24 * 3_600_000;
const words = text({ maxLength: 512 });
const outcomes = list(words, { min: 1, max: 16 });

const when = object({
  method: words.or("GET"),
  url: words,
  from: words.optional(),
  headers: map(words, text({ minLength: 0, maxLength: 8192 }), { max: 64 }).or(new Map()),
});

const expect: Schema<Expectation> = object({
  route: words.optional(),
  backends: map(words, number({ min: 0, max: 100 }), { max: 64 }).optional(),
  timeout: duration({ min: 0, max: longestMs }).optional(),
  maxAttempts: integer({ min: 1, max: 100 }).optional(),
  retried: outcomes.optional(),
  notRetried: outcomes.optional(),
  access: oneOf(["admitted", "forbidden", "path_ambiguous", "plaintext"]).optional(),
});

export const policyTestSpec: Schema<{ readonly cases: readonly PolicyCase[] }> = object({
  cases: list(object({ name: words.optional(), when, expect }), { min: 1, max: 10_000 }),
});
