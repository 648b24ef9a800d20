/** The filters of HTTPRoute and GRPCRoute (https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter). */

import type { BackendRef } from "../gateway-route.ts";
import type { HeaderEdits, PathRewrite, RouteFilter } from "../resources.ts";
import { backendRefFields, toBackendRef } from "./backend-ref.ts";
import { headerName, integer, number, objectName, port, text } from "./scalars.ts";
import { given, list, object, oneOf, Schema, show } from "./schema.ts";

/** In the list, mirrors are among the other filters. */
export type ParsedFilter =
  | RouteFilter
  | { readonly kind: "mirror"; readonly backend: BackendRef; readonly percent: number };

/** No filter may edit fields that say where a message ends, where it goes, or what the mesh itself reports. */
const notEditable =
  /^(?:connection|content-length|host|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|tulle-.*)$/;

const editableName = headerName().map((name, at) =>
  notEditable.test(name) ? at.fail(`must not be ${name}: that field is the proxy's own`) : name,
);

const headerValues = list(
  object({ name: editableName, value: text({ minLength: 0, maxLength: 4096, ...fieldValue() }) }).map(
    ({ name, value }) => [name, value] as const,
  ),
  { max: 16, unique: ([name]) => name },
).or([]);

/** Allows no control characters: a value must not end its line (RFC 9110, section 5.5). */
function fieldValue(): { pattern: string; says: string } {
  return { pattern: "^[\\t\\x20-\\x7e\\x80-\\xff]*$", says: "a header's value, without control characters" };
}

const headerEdits = object({
  set: headerValues,
  add: headerValues,
  remove: list(editableName, { max: 16, unique: String }).or([]),
}).map((fields): HeaderEdits => fields);

const pathRewrite = object({
  type: oneOf({ ReplaceFullPath: "full", ReplacePrefixMatch: "prefix" }),
  replaceFullPath: text({ minLength: 0, maxLength: 1024, ...pathValue() }).optional(),
  replacePrefixMatch: text({ minLength: 0, maxLength: 1024, ...pathValue() }).optional(),
}).map((fields, at): PathRewrite | undefined => {
  const [wanted, other] =
    fields.type === "full"
      ? (["replaceFullPath", "replacePrefixMatch"] as const)
      : (["replacePrefixMatch", "replaceFullPath"] as const);
  if (fields[other] !== undefined) return at.field(other).fail(`must be absent beside ${wanted}`);
  const value = fields[wanted];
  return value === undefined ? at.field(wanted).fail("is required") : { kind: fields.type, value };
});

/** The query remains the client's, and a fragment is never sent. */
function pathValue(): { pattern: string; says: string } {
  return { pattern: "^(/[\\x21\\x22\\x24-\\x3e\\x40-\\x7e]*)?$", says: "a path that starts with /, without ? or #" };
}

const hostname = objectName().optional();

const redirect = object({
  scheme: oneOf(["http", "https"]).optional(),
  hostname,
  path: pathRewrite.optional(),
  port: port().optional(),
  statusCode: new Schema<number>({ type: "integer" }, (value, at) =>
    typeof value === "number" && redirectStatuses.includes(value)
      ? value
      : at.fail(`must be one of ${redirectStatuses.join(", ")}, got ${show(value)}`),
  ).or(302),
}).map(({ statusCode, ...rest }): RouteFilter => ({ kind: "redirect", status: statusCode, ...given(rest) }));

const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

const rewrite = object({ hostname, path: pathRewrite.optional() }).map(
  (fields): RouteFilter => ({ kind: "rewrite", ...given(fields) }),
);

const mirror = object({
  backendRef: object(backendRefFields).map(toBackendRef),
  percent: integer({ min: 0, max: 100 }).optional(),
  fraction: object({
    numerator: number({ min: 0, max: 2 ** 31 }),
    denominator: number({ min: 1, max: 2 ** 31 }).or(100),
  }).optional(),
}).map(({ backendRef: backend, percent, fraction }, at): ParsedFilter | undefined => {
  if (percent !== undefined && fraction !== undefined)
    return at.field("fraction").fail("must be absent beside percent");
  if (fraction !== undefined && fraction.numerator > fraction.denominator) {
    return at.field("fraction").field("numerator").fail(`must be at most denominator, got ${fraction.numerator}`);
  }
  const share = fraction === undefined ? (percent ?? 100) : (fraction.numerator / fraction.denominator) * 100;
  return { kind: "mirror", backend, percent: share };
});

interface FilterType {
  /** The field that belongs to this type. */
  readonly field: string;
  readonly schema: Schema<ParsedFilter>;
}

const requestHeaders: FilterType = {
  field: "requestHeaderModifier",
  schema: headerEdits.map((edits): ParsedFilter => ({ kind: "request-headers", ...edits })),
};
const responseHeaders: FilterType = {
  field: "responseHeaderModifier",
  schema: headerEdits.map((edits): ParsedFilter => ({ kind: "response-headers", ...edits })),
};
const requestMirror: FilterType = { field: "requestMirror", schema: mirror };

const grpcTypes: ReadonlyMap<string, FilterType> = new Map([
  ["RequestHeaderModifier", requestHeaders],
  ["ResponseHeaderModifier", responseHeaders],
  ["RequestMirror", requestMirror],
]);

const httpTypes: ReadonlyMap<string, FilterType> = new Map([
  ...grpcTypes,
  ["RequestRedirect", { field: "requestRedirect", schema: redirect }],
  ["URLRewrite", { field: "urlRewrite", schema: rewrite }],
]);

/** An unknown type of filter is no error here: its rule answers 500, and the others apply. */
export function filters(kind: "HTTPRoute" | "GRPCRoute"): Schema<readonly ParsedFilter[]> {
  const types = kind === "HTTPRoute" ? httpTypes : grpcTypes;
  const filter = new Schema<ParsedFilter>({ type: "object" }, (value, at) => {
    const fields = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
    const type: unknown = fields.get("type");
    if (typeof type !== "string")
      return at.field("type").fail(type === undefined ? "is required" : `must be a string, got ${show(type)}`);
    const known = types.get(type);
    if (known === undefined) return { kind: "unsupported", type };
    for (const name of fields.keys()) {
      if (name !== "type" && name !== known.field) at.field(name).fail(`must be absent where type is ${type}`);
    }
    return known.schema.read(fields.get(known.field), at.field(known.field));
  });
  return list(filter, { max: 16 })
    .map((all, at) => {
      const kinds = all.map((one) => one.kind);
      if (!kinds.includes("redirect") || !kinds.includes("rewrite")) return all;
      return at.fail("RequestRedirect and URLRewrite exclude each other");
    })
    .or([]);
}
