/** Encodes request matches as messages. */

import type { PathMatch, RouteMatch, ValueMatch } from "../model/resources.ts";
import { assertNever } from "../model/result.ts";
import type { PathMatch as PathMatchMessage } from "./generated/tulle/v1/PathMatch.ts";
import type { RouteMatch as RouteMatchMessage } from "./generated/tulle/v1/RouteMatch.ts";
import type { ValueMatch as ValueMatchMessage } from "./generated/tulle/v1/ValueMatch.ts";

export function encodeRouteMatch({ method, path, headers, query }: RouteMatch): RouteMatchMessage {
  return {
    ...(method !== undefined && { method }),
    ...(path && { path: encodePathMatch(path) }),
    headers: headers?.map(encodeValueMatch) ?? [],
    query: query?.map(encodeValueMatch) ?? [],
  };
}

export function encodePathMatch({ kind, value }: PathMatch): PathMatchMessage {
  switch (kind) {
    case "exact":
      return { exact: value };
    case "prefix":
      return { prefix: value };
    case "regex":
      return { regex: value };
    default:
      return assertNever(kind);
  }
}

function encodeValueMatch({ name, kind, value }: ValueMatch): ValueMatchMessage {
  switch (kind) {
    case "exact":
      return { name, exact: value };
    case "regex":
      return { name, regex: value };
    case "present":
      return { name, present: true };
    default:
      return assertNever(kind);
  }
}
