/** The syntax for matching requests: Gateway API's matches, which Tulle's own kinds use too. */

import { compileRegex } from "../regex.ts";
import type { PathMatch, RouteMatch, ValueMatch } from "../resources.ts";
import { headerName, text } from "./scalars.ts";
import { given, list, object, oneOf, type Place, type Rule, type Schema, show } from "./schema.ts";

/** https://gateway-api.sigs.k8s.io/reference/spec/#httppathmatch */
export const pathMatch: Schema<PathMatch> = object({
  type: oneOf({ Exact: "exact", PathPrefix: "prefix", RegularExpression: "regex" })
    .describe("How the path is compared. PathPrefix compares whole segments.")
    .or("prefix"),
  value: text({ maxLength: 1024 }).describe("The path, or a regular expression in RE2 syntax.").or("/"),
})
  .check({
    cel: "(has(self.type) && self.type == 'RegularExpression') || !has(self.value) || self.value.startsWith('/')",
    says: "value must start with /",
    field: "value",
    find: ({ type, value }) =>
      type === "regex"
        ? regexProblem(value)
        : value.startsWith("/")
          ? undefined
          : `must start with /, got ${show(value)}`,
  })
  .map(({ type, value }) => ({ kind: type, value }));

const valueFields = {
  type: oneOf({ Exact: "exact", RegularExpression: "regex" }).describe("How the value is compared.").or("exact"),
  value: text({ maxLength: 4096 }).describe("The value, or a regular expression in RE2 syntax."),
};

interface ValueFields {
  readonly type: "exact" | "regex";
  readonly name: string;
  readonly value: string;
}

function toValueMatch({ type, name, value }: ValueFields, at: Place): ValueMatch | undefined {
  const problem = type === "regex" ? regexProblem(value) : undefined;
  return problem === undefined ? { name, kind: type, value } : at.field("value").fail(problem);
}

/** https://gateway-api.sigs.k8s.io/reference/spec/#httpheadermatch */
export const headerMatch: Schema<ValueMatch> = object({
  ...valueFields,
  name: headerName().describe("The name, in upper or lower case."),
}).map(toValueMatch);

/** https://gateway-api.sigs.k8s.io/reference/spec/#httpqueryparammatch */
export const queryMatch: Schema<ValueMatch> = object({
  ...valueFields,
  name: text({ maxLength: 256 }).describe("The name of the parameter; upper and lower case differ."),
}).map(toValueMatch);

/** For Tulle's own kinds: like `headerMatch`, plus `type: Present` for any value at all. */
const headerMatches: Schema<readonly ValueMatch[]> = list(
  object({
    type: oneOf({ Exact: "exact", RegularExpression: "regex", Present: "present" })
      .describe("How the value is compared. Present: any value matches.")
      .or("exact"),
    name: headerName().describe("The name, in upper or lower case."),
    value: valueFields.value.optional(),
  })
    .check({
      cel: "(has(self.type) && self.type == 'Present') != has(self.value)",
      says: "value is required, except for Present",
      field: "value",
      find: ({ type, value }) => {
        if (type === "present") return value === undefined ? undefined : "must be absent where type is Present";
        return value === undefined ? "is required" : undefined;
      },
    })
    .map(({ type, name, value = "" }, at) =>
      type === "present" ? { name, kind: type, value } : toValueMatch({ type, name, value }, at),
    ),
  { max: 16, unique: ({ name }) => name },
);

/** https://gateway-api.sigs.k8s.io/reference/spec/#httpmethod */
export const httpMethod: Schema<string> = oneOf([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
]);

/** Fields that match requests in Tulle's own kinds, to be spread into an `object` and checked with `someCondition`. */
export const matchFields = {
  method: httpMethod.describe("The method; absent: any.").optional(),
  path: pathMatch.describe("The path, without the query; absent: any.").optional(),
  headers: headerMatches.describe("Headers that the request must have, all of them.").or([]),
};

interface MatchFields {
  readonly method: string | undefined;
  readonly path: PathMatch | undefined;
  readonly headers: readonly ValueMatch[];
}

export const someCondition: Rule<MatchFields> = {
  cel: "has(self.method) || has(self.path) || (has(self.headers) && size(self.headers) > 0)",
  says: "one of headers, path and method is required",
  field: "headers",
  find: ({ method, path, headers }) =>
    method === undefined && path === undefined && headers.length === 0
      ? "one of headers, path and method is required: this would match everything"
      : undefined,
};

export function toRouteMatch({ method, path, headers }: MatchFields): RouteMatch {
  return { ...given({ method, path }), ...(headers.length > 0 && { headers }) };
}

/** Matches requests that any of these match; an empty list matches all. */
export const requestMatches: Schema<readonly RouteMatch[]> = list(
  object(matchFields).check(someCondition).map(toRouteMatch),
  { max: 16 },
)
  .describe("Requests that match one of these; absent: all.")
  .or([]);

function regexProblem(pattern: string): string | undefined {
  const regex = compileRegex(pattern);
  return regex.ok ? undefined : regex.error;
}
