/** What users write to pick requests: Gateway API's matches, also inside Tulle's own kinds. */

import { compileRegex } from "../regex.ts";
import type { RouteMatch, ValueMatch } from "../resources.ts";
import { headerName, text } from "./scalars.ts";
import { list, object, oneOf, type Schema, show } from "./schema.ts";

/** https://gateway-api.sigs.k8s.io/reference/spec/#httppathmatch */
export const pathMatch: Schema<NonNullable<RouteMatch["path"]>> = object({
  type: oneOf({ Exact: "exact", PathPrefix: "prefix", RegularExpression: "regex" })
    .describe("PathPrefix goes by whole segments.")
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

/** https://gateway-api.sigs.k8s.io/reference/spec/#httpheadermatch */
export const headerMatches: Schema<readonly ValueMatch[]> = list(
  object({
    type: oneOf({ Exact: "exact", RegularExpression: "regex", Present: "present" })
      .describe("Present: any value will do.")
      .or("exact"),
    name: headerName().describe("In any case."),
    value: text({ maxLength: 4096 }).describe("The value, or a regular expression in RE2 syntax.").optional(),
  })
    .check({
      cel: "(has(self.type) && self.type == 'Present') != has(self.value)",
      says: "value is required, except for Present",
      field: "value",
      find: ({ type, value }) => {
        if (type === "present") return value === undefined ? undefined : "must be absent where type is Present";
        if (value === undefined) return "is required";
        return type === "regex" ? regexProblem(value) : undefined;
      },
    })
    .map(({ type, name, value = "" }): ValueMatch => ({ name, kind: type, value })),
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

function regexProblem(pattern: string): string | undefined {
  const regex = compileRegex(pattern);
  return regex.ok ? undefined : regex.error;
}
