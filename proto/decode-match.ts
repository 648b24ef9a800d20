/** Decodes request matches into the model, with checks. */

import type { PathMatch, RouteMatch, ValueMatch } from "../model/resources.ts";
import type { Faults } from "./faults.ts";
import type { PathMatch__Output } from "./generated/tulle/v1/PathMatch.ts";
import type { RouteMatch__Output } from "./generated/tulle/v1/RouteMatch.ts";
import type { ValueMatch__Output } from "./generated/tulle/v1/ValueMatch.ts";

export function decodeRouteMatch(at: string, message: RouteMatch__Output, faults: Faults): RouteMatch {
  const valueMatches = (list: "headers" | "query"): ValueMatch[] =>
    message[list].map((match, i) => decodeValueMatch(`${at}.${list}[${i}]`, match, faults));
  return {
    ...(message.method !== undefined && { method: faults.filled(`${at}.method`, message.method) }),
    ...(message.path && { path: decodePathMatch(`${at}.path`, message.path, faults) }),
    ...(message.headers.length > 0 && { headers: valueMatches("headers") }),
    ...(message.query.length > 0 && { query: valueMatches("query") }),
  };
}

export function decodePathMatch(at: string, message: PathMatch__Output, faults: Faults): PathMatch {
  if (message.match === undefined) faults.add(at, "must be an exact, prefix or regex match");
  const kind = message.match ?? "exact";
  return { kind, value: message[kind] ?? "" };
}

function decodeValueMatch(at: string, message: ValueMatch__Output, faults: Faults): ValueMatch {
  if (message.match === undefined) faults.add(at, "must be an exact, regex or present match");
  const name = faults.filled(`${at}.name`, message.name);
  const kind = message.match ?? "present";
  return { name, kind, value: kind === "present" ? "" : (message[kind] ?? "") };
}
